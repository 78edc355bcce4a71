// create: accepts a job. Its record is the acceptance; an id that is known, or any of whose keys exists, is refused or recognised.
import { workflowPrefix } from '#core/workflow/run.ts';
import { jobScript } from './prelude.ts';

/** Arguments per job; mode: 1 the payload comes along, 3 it was staged (stage.ts), 2 it must be there, 0 there is none; bound: `<fence> <attempt>` of its parent, or empty. */
export const createStride = 15;

/** Ids that a trace keeps, about: a client may use one trace for ever. */
export const traceLength = 10_000;

/** Entries that one sweep takes out of a list at most: Redis does nothing else meanwhile. The rest is for the next times. */
export const mostSwept = 10_000;

// ARGV[5]: ms after which an entry of the tenant's list can have no record any more; ARGV[6]: ids kept in job:recent.
export const create = jobScript(
  'create',
  /* lua */ `
local horizon,recent=tonumber(ARGV[5]),ARGV[6]
-- What is older than any record can be goes, now and then: one call in sixteen is enough.
local sweep=now%16<1
local function same(key,digest)
  local v=call('GET',key)
  if not v then return end
  local oid,odigest=string.match(v,'^([^ ]+) (.*)$')
  local o=oid and record(oid,'trace')
  if not o or not o[1] then return end
  if odigest~=digest then return {'idempotency_conflict',oid,'',''} end
  return {'existing',oid,o[4],o[1]}
end
local listed={}
local out=all(7,${createStride},{'conflict','','',''},function(id,tenant,topic,trace,principal,parent,prio,digest,packet,mode,payload,life,ikey,idigest,bound)
  local rk,ctx,idem=P..'job:meta:'..id,P..'ctx:'..id,P..'idem:'..tenant..':'..ikey
  local staged,size
  if mode=='3' then staged,size=string.match(payload,'^([^ ]+) (%d+)$') staged=P..'stage:'..staged end
  local function refuse(answer) if staged then call('UNLINK',staged) end return answer end
  -- A step of a run is made by who holds the run, and by nobody else.
  if bound~='' then
    local p=record(parent,'attempt','kids')
    if not p[1] or not held(p[1]) or p[2]~=tenant or (p[3]..' '..(p[4] or ''))~=bound then return refuse({'orphan',id,'',''}) end
    if not p[5] then call('HSET',P..'job:meta:'..parent,'kids','1') end
  end
  local before=ikey~='' and same(idem,idigest)
  if before then return refuse(before) end
  -- A payload that comes along may not be there yet; one that a client of the bus wrote already is.
  local there=call('EXISTS',rk,P..'res:'..id,P..'job:events:'..id,P..'job:req:'..id,P..'out:'..id,(mode=='1' or staged) and ctx or rk)
  if there>0 then
    local m=record(id,'digest','trace')
    if m[1] and m[4]==digest then return refuse({'existing',id,m[5],m[1]}) end
    return refuse({'conflict',id,'',''})
  end
  -- Whole, or not at all: it may have run out, or begun anew after it had.
  if staged and call('STRLEN',staged)~=num(size) then return refuse({'unstaged',id,'',''}) end
  local lacks=mode=='2' and call('TYPE',ctx).ok~='string'
  local deadline=now+num(life)
  if mode=='1' then call('SET',ctx,payload)
  elseif staged then
    call('RENAME',staged,ctx)
    call('PERSIST',ctx)
  elseif mode=='2' and not lacks then call('PERSIST',ctx) end
  call('SET',P..'job:req:'..id,packet)
  local h={'state','PENDING','updated_at',us,'topic',topic,'tenant',tenant,'trace',trace,'digest',digest,'created',ms,'deadline',f0(deadline),'prio',prio,'fence','0'}
  if principal~='' then h[#h+1]='principal' h[#h+1]=principal end
  if parent~='' then h[#h+1]='parent' h[#h+1]=parent end
  if bound~='' then
    h[#h+1]='bound' h[#h+1]='1'
    call('SADD',P..'kids:'..parent,id)
  end
  if ikey~='' then
    h[#h+1]='idem' h[#h+1]=ikey
    call('SET',idem,id..' '..idigest)
  end
  due(id,now+1000) -- before there is a record: should one of the lists fail, somebody looks at the job all the same
  call('HSET',rk,unpack(h))
  if string.sub(topic,1,${workflowPrefix.length})=='${workflowPrefix}' then
    -- What a rerun begins with is there already, for minutes: from here on as long as its record may be.
    local till=f0(deadline+META)
    for _,key in ipairs({P..'wf:'..id,P..'wf:'..id..':in'}) do call('PEXPIREAT',key,till) end
  end
  local jobs,tk=P..'jobs:'..tenant,P..'trace:'..trace
  -- The plain key is whose jobs came first; another tenant's jobs under the same trace are kept apart, so that none hides the other's.
  local other=trace~='' and call('SRANDMEMBER',tk)
  local owner=other and redis.pcall('HGET',P..'job:meta:'..other,'tenant')
  -- The id is the client's own, on the bus with colons in it: such a one is no plain key, since it may look like that of another tenant.
  if type(owner)=='string' and owner~=tenant or string.find(trace,':',1,true) then tk=tk..':'..tenant end
  call('ZADD',jobs,ms,id)
  listed[tenant]=jobs
  call('ZADD',P..'job:recent',ms,id)
  if trace~='' then
    call('SADD',tk,id)
    call('PEXPIRE',tk,f0(horizon))
  end
  if sweep and trace~='' then
    local more=call('SCARD',tk)-${traceLength}
    if more>0 then call('SPOP',tk,math.min(more,${mostSwept})) end
  end
  ev(id,tenant,'PENDING','0')
  if not lacks then return {'created',id,trace,'PENDING'} end
  -- In the same step, so that no crash lets a job run without its payload.
  local e=finish(id,tenant,'FAILED','0',{'error_code','payload_missing','error','context_ptr: ctx:'..id..' is not in the store','stopped',ms})
  return {'payload_missing',id,trace,'FAILED',e}
end)
for _,jobs in pairs(listed) do
  guard(jobs,false,call,'PEXPIRE',jobs,f0(horizon))
  if sweep then
    local old=guard(jobs,0,call,'ZCOUNT',jobs,'-inf',f0(now-horizon))
    if old>0 then call('ZREMRANGEBYRANK',jobs,0,math.min(old,${mostSwept})-1) end
  end
end
if next(listed) then guard('job:recent',false,call,'ZREMRANGEBYRANK',P..'job:recent',0,-1-recent) end
return reply(out)`,
);
