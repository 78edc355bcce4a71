// gate: applies the kernel's verdict to a PENDING job, if the job that was judged is the one that is stored.
import { jobScript } from './prelude.ts';

export const gateStride = 17;

export const gate = jobScript(
  'gate',
  /* lua */ `
-- The payload that the policy wants instead of the job's own: whether it is there, its key, and whence it has to be moved there. No job can be named so
-- that ctx:<id>:... is its payload (a colon is in no id); ctx:<id>-... might be one day, so it does not stay there, and is not taken if
-- it is today.
local function redacted(id,key)
  local own='ctx:'..id..':'
  local kept=key
  if string.sub(key,1,#own)~=own then
    if string.sub(key,1,#own)~='ctx:'..id..'-' or call('EXISTS',P..'job:meta:'..string.sub(key,5))==1 then return false,'' end
    kept=own..string.sub(key,#own+1)
    if call('TYPE',P..key).ok=='string' then return true,kept,key end
  end
  return call('TYPE',P..kept).ok=='string',kept
end
return each(5,${gateStride},{'missing','',false},function(id,digest,to,decision,reason,rule,policy,cons,pool,lane,timeout,retries,hold,code,message,cost,wanted)
  local rk=P..'job:meta:'..id
  local m=record(id,'digest','prio','created','deadline','safety_reason','policy','appr','safety_decision','rule','rctx')
  local st,tenant,fence,first=m[1],m[2],m[3],m[8] and 0 or 1
  local outcome,payload,from='applied','',false
  -- Answers: outcome, state, end, whether no gate was here before: each leaves its reason, even an empty one.
  if not st then return {'missing','',false} end
  if m[4]~=digest then return {'digest',st,false} end
  if st~='PENDING' or (to~='PENDING' and not may(st,to)) then return {'state',st,false} end
  -- A person's word holds for this body under this policy; judged under another one it is void.
  local hash=string.match(policy,'^%d+:(.*)$')
  local approved=m[10] and m[10]==digest..' '..(hash or '')
  if to=='SCHEDULED' and decision=='REQUIRE_HUMAN' and not approved then return {'unapproved',st,false} end
  local prio,created,deadline=need(m[5]),num(m[6]),num(m[7])
  if to=='SCHEDULED' and wanted~='' then
    local there
    there,payload,from=redacted(id,wanted)
    if not there then outcome,to,reason='waits','PENDING','waits: the payload that the policy wants instead, '..wanted..', is not there' end
  end
  if m[10] and hash and not approved then call('HDEL',rk,'appr','apprby') end
  if m[13] and m[13]~=payload and (to~='PENDING' or payload~='') then call('HDEL',rk,'rctx') unwanted(id,m[13]) end
  -- Also of one that is not there yet, so that it has an end when the job has.
  if payload~='' then call('HSET',rk,'rctx',payload) end
  if to=='PENDING' then
    if m[8]~=reason or m[11]~=decision or m[12]~=rule then call('HSET',rk,'safety_decision',decision,'safety_reason',reason,'rule',rule) end
    due(id,math.min(now+tonumber(hold),deadline))
    return {outcome,to,false,first}
  end
  if to~='SCHEDULED' and to~='AWAITING_APPROVAL' then
    local h={'safety_decision',decision,'safety_reason',reason,'rule',rule,'policy',policy,'error_code',code,'error',message,'stopped',ms}
    return {'applied',to,finish(id,tenant,to,fence,h),first}
  end
  if m[8] then call('HDEL',rk,'cons','cost') end -- what an earlier verdict bound it to
  local h={'state',to,'updated_at',us,'safety_decision',decision,'safety_reason',reason,'rule',rule,'policy',policy,'pool',pool,'lane',lane,'timeout',timeout,'retries',retries}
  if from then call('RENAME',P..from,P..payload) end
  if payload~='' then call('PERSIST',P..payload) end
  if cons~='' then h[#h+1]='cons' h[#h+1]=cons end
  if cost~='1' then h[#h+1]='cost' h[#h+1]=cost end
  if to=='SCHEDULED' then
    h[#h+1]='q' h[#h+1]='1' h[#h+1]='queued' h[#h+1]=ms
    enqueue(id,tenant,pool,lane,prio,created)
  end
  call('HSET',rk,unpack(h))
  due(id,deadline)
  ev(id,tenant,to,fence)
  return {'applied',to,false,first}
end)`,
);
