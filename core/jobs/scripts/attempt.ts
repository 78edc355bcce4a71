// What a worker host says of an attempt: accept, renew, progress, artifact, stopped. Both parts of the fence are compared in each.
import { jobScript } from './prelude.ts';

/** Why a fence is not the current one, or the job not running any more: told to the handler as the reason to stop. */
const why = /* lua */ `
local function why(state)
  if not state then return 'unknown' end
  if state=='CANCELLED' then return 'cancelled' end
  if state=='TIMEOUT' then return 'timeout' end
  if state=='DENIED' then return 'denied' end
  if ended(state) then return 'ended' end
  return 'lost'
end
`;

export const acceptStride = 6;

// DISPATCHED to RUNNING under a lease, with the payload in the answer. Again for the same attempt and instance: the same answer.
// Refused when the slot has run out, since the slot may have been given away.
export const accept = jobScript(
  'accept',
  /* lua */ `${why}
local out={}
for i=5,#ARGV,${acceptStride} do
  local id,fence,attempt,worker,inst,lease=unpack(ARGV,i,i+${acceptStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','attempt','worker','inst','tenant','timeout','deadline','attempts','rundl')
  local st,slots=m[1],P..'slots:'..worker
  local same=m[2]==fence and m[3]==attempt and m[4]==worker and m[5]==inst
  if st=='RUNNING' and same then
    out[#out+1]={'run',call('GET',P..'ctx:'..id),tonumber(m[9]),f0(math.min(tonumber(m[10]),tonumber(m[8]))-now)}
  elseif st=='DISPATCHED' and same and may(st,'RUNNING') and tonumber(call('ZSCORE',slots,id) or '0')>now then
    local attempts=tonumber(m[9] or '0')+1
    local rundl,deadline=now+tonumber(m[7]),tonumber(m[8])
    call('HSET',rk,'state','RUNNING','updated_at',us,'started',ms,'attempts',f0(attempts),'rundl',f0(rundl),'hand','0')
    call('ZADD',slots,f0(now+tonumber(lease)),id)
    due(id,math.min(now+tonumber(lease),rundl,deadline))
    ev(id,m[6],'RUNNING',fence)
    out[#out+1]={'run',call('GET',P..'ctx:'..id),attempts,f0(math.min(rundl,deadline)-now)}
  else out[#out+1]={'stale',why(st)} end
end
return {out,EV}`,
);

/** Fixed arguments of one worker's renewal, before its jobs (three each). */
export const renewHead = 8;

// One call for all jobs of a process: the worker lives, its leases run on, or each job says why to stop.
export const renew = jobScript(
  'renew',
  /* lua */ `${why}
local out={}
local a=5
while a<=#ARGV do
  local worker,inst,pool,cap,lease,alive,wkey,nj=unpack(ARGV,a,a+${renewHead - 1})
  local first=a+${renewHead} nj=tonumber(nj) a=first+nj*3
  local mine=true
  if wkey~='' then
    local holder=call('HGET',wkey,'inst')
    mine=not holder or holder==inst
    if mine then call('HSET',wkey,'inst',inst,'cap',cap,'pool',pool) call('PEXPIRE',wkey,alive) end
  end
  -- Slots whose lease ran out are free already; this clears them away.
  if mine then call('ZREMRANGEBYSCORE',P..'slots:'..worker,'-inf',ms) end
  local answers={}
  for k=0,nj-1 do
    local id,fence,attempt=unpack(ARGV,first+k*3,first+k*3+2)
    if not mine then answers[#answers+1]='lost'
    else
      local m=call('HMGET',P..'job:meta:'..id,'state','fence','attempt','rundl','deadline')
      local slots=P..'slots:'..worker
      if m[1]=='RUNNING' and m[2]==fence and m[3]==attempt and tonumber(call('ZSCORE',slots,id) or '0')>now then
        local till=now+tonumber(lease)
        call('ZADD',slots,f0(till),id)
        due(id,math.min(till,tonumber(m[4]),tonumber(m[5])))
        answers[#answers+1]='keep'
      else answers[#answers+1]=why(m[1]) end
    end
  end
  out[#out+1]={mine and 'ok' or 'replaced',answers}
end
return {out,EV}`,
);

export const progressStride = 4;

export const progress = jobScript(
  'progress',
  /* lua */ `
local out={}
for i=5,#ARGV,${progressStride} do
  local id,fence,attempt,text=unpack(ARGV,i,i+${progressStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','attempt')
  if not m[1] then out[#out+1]='missing'
  elseif m[1]=='RUNNING' and m[2]==fence and m[3]==attempt then call('HSET',rk,'prog',text) out[#out+1]='ok'
  else out[#out+1]='stale' end
end
return {out,EV}`,
);

// An artifact of an attempt: its key carries the fence, so that a late attempt cannot overwrite what the next one wrote.
// It gets an end at once (deadline and keeping time); the end of the job shortens it.
export const artifact = jobScript(
  'artifact',
  /* lua */ `
local id,fence,attempt,name,bytes=ARGV[5],ARGV[6],ARGV[7],ARGV[8],ARGV[9]
local rk=P..'job:meta:'..id
local m=call('HMGET',rk,'state','fence','attempt','arts','deadline')
if m[1]~='RUNNING' or m[2]~=fence or m[3]~=attempt then return {{false},EV} end
local key='res:'..id..'-'..name..'-'..fence
call('SET',P..key,bytes,'PX',f0(math.max(tonumber(m[5])-now,0)+tonumber(DATA)))
local have=m[4] or ''
if not string.find(' '..have..' ',' '..key..' ',1,true) then call('HSET',rk,'arts',have=='' and key or have..' '..key) end
return {{key},EV}`,
);

export const stoppedStride = 4;

// The handler is gone: its slot is free, and an end that waited for this word shows it.
export const stopped = jobScript(
  'stopped',
  /* lua */ `
local out={}
for i=5,#ARGV,${stoppedStride} do
  local id,fence,attempt,worker=unpack(ARGV,i,i+${stoppedStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','attempt','stopped')
  if m[2]==fence and m[3]==attempt then
    if ended(m[1]) then
      call('ZREM',P..'slots:'..worker,id)
      if not m[4] then call('HSET',rk,'stopped',ms) end
    end
  elseif not m[1] then call('ZREM',P..'slots:'..worker,id) end
  out[#out+1]='ok'
end
return {out,EV}`,
);
