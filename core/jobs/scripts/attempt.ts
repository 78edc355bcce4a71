// What a worker host says of an attempt: accept, renew, progress, artifact, stopped. Both parts of the fence are compared in each.
import { jobScript, slotsMs } from './prelude.ts';

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

/** Payloads that one answer carries, about: the one that goes beyond is the last. Bytes; Redis does nothing else while it writes them. */
export const mostPayloadBytes = 4_000_000;

// DISPATCHED to RUNNING under a lease, with the payload in the answer. Again for the same attempt and instance: the same answer.
// Refused when the slot has run out, since the slot may have been given away. Put off, unchanged, when the answer holds enough.
export const accept = jobScript(
  'accept',
  /* lua */ `${why}
local bytes=0
return each(5,${acceptStride},{'stale','unknown'},function(id,fence,attempt,worker,inst,lease)
  local rk=P..'job:meta:'..id
  local m=record(id,'attempt','worker','inst','timeout','deadline','attempts','rundl','queued','started','rctx')
  local st,slots=m[1],P..'slots:'..worker
  local same=held(st) and m[3]==fence and m[4]==attempt and m[5]==worker and m[6]==inst
  if not same or num(call('ZSCORE',slots,id) or '0')<=now then return {'stale',why(st)} end
  local attempts,deadline,queued=num(m[9] or '0'),num(m[8]),num(m[11])
  if st~='RUNNING' and deadline<=now then return {'stale','timeout'} end
  if bytes>=${mostPayloadBytes} then
    -- Its host lives and asks again at once: it keeps its slot for as long as a lease.
    if st~='RUNNING' then
      call('ZADD',slots,f0(now+tonumber(lease)),id)
      due(id,math.min(now+tonumber(lease),deadline))
    end
    return {'again'}
  end
  local payload=value(P..(m[13] or 'ctx:'..id))
  bytes=bytes+#(payload or '')
  if st=='RUNNING' then return {'run',beside(payload),attempts,f0(num(m[12])-queued),f0(math.min(num(m[10]),deadline)-now)} end
  local till,rundl=now+tonumber(lease),now+num(m[7])
  call('HSET',rk,'state','RUNNING','updated_at',us,'started',ms,'attempts',f0(attempts+1),'rundl',f0(rundl),'hand','0')
  call('ZADD',slots,f0(till),id)
  due(id,math.min(till,rundl,deadline))
  ev(id,m[2],'RUNNING',fence)
  return {'run',beside(payload),attempts+1,f0(now-queued),f0(math.min(rundl,deadline)-now)}
end)`,
);

/** Fixed arguments of one worker's renewal, before its jobs (three each). */
export const renewHead = 8;

// One call for all jobs of a process: the worker lives, its leases run on, or each job says why to stop.
export const renew = jobScript(
  'renew',
  /* lua */ `${why}
local function keep(id,fence,attempt,slots,lease)
  local m=record(id,'attempt','rundl','deadline')
  if m[1]~='RUNNING' or m[3]~=fence or m[4]~=attempt or num(call('ZSCORE',slots,id) or '0')<=now then return why(m[1]) end
  local till=math.min(now+lease,num(m[5]),num(m[6]))
  call('ZADD',slots,f0(now+lease),id)
  due(id,till)
  return 'keep'
end
local out={}
local a=5
while a<=#ARGV do
  local worker,inst,pool,cap,lease,alive,wkey,nj=unpack(ARGV,a,a+${renewHead - 1})
  local first=a+${renewHead} nj=tonumber(nj) a=first+nj*3
  local mine,slots=true,P..'slots:'..worker
  if wkey~='' then
    local holder=call('HGET',wkey,'inst')
    mine=not holder or holder==inst
    if mine then call('HSET',wkey,'inst',inst,'cap',cap,'pool',pool) call('PEXPIRE',wkey,alive) end
  end
  -- Slots whose lease ran out are free already; this clears them away.
  if mine then call('ZREMRANGEBYSCORE',slots,'-inf',ms) call('PEXPIRE',slots,${slotsMs}) end
  local answers={}
  for k=first,first+nj*3-3,3 do
    answers[#answers+1]=mine and guard(ARGV[k],'unknown',keep,ARGV[k],ARGV[k+1],ARGV[k+2],slots,tonumber(lease)) or 'lost'
  end
  out[#out+1]={mine and 'ok' or 'replaced',answers}
end
return reply(out)`,
);

export const progressStride = 4;

export const progress = jobScript(
  'progress',
  /* lua */ `
return each(5,${progressStride},'missing',function(id,fence,attempt,text)
  local rk=P..'job:meta:'..id
  local m=record(id,'attempt')
  if not m[1] then return 'missing' end
  if m[1]~='RUNNING' or m[3]~=fence or m[4]~=attempt then return 'stale' end
  call('HSET',rk,'prog',text)
  return 'ok'
end)`,
);

export const foreignProgressStride = 2;

export const progressForeign = jobScript(
  'progressForeign',
  /* lua */ `
return each(5,${foreignProgressStride},'missing',function(id,text)
  local m=record(id,'worker')
  if not m[1] then return 'missing' end
  if not held(m[1]) or not foreign(m[4]) then return 'stale' end
  call('HSET',P..'job:meta:'..id,'prog',text)
  return 'ok'
end)`,
);

export const artifactStride = 5;

// An artifact of an attempt: its key carries the fence, so that a late attempt cannot overwrite what the next one wrote.
// It gets an end at once (deadline and keeping time); the end of the job shortens it.
export const artifact = jobScript(
  'artifact',
  /* lua */ `
return each(5,${artifactStride},false,function(id,fence,attempt,name,bytes)
  local rk=P..'job:meta:'..id
  local m=record(id,'attempt','arts','deadline')
  if m[1]~='RUNNING' or m[3]~=fence or m[4]~=attempt then return false end
  local own=id..'-'..name..'-'..fence
  local key='res:'..own
  -- A job whose id looks like that would own the key: its result would be this, or this its result.
  if call('EXISTS',P..'job:meta:'..own)==1 then return false end
  call('SET',P..key,bytes,'PX',f0(math.max(num(m[6])-now,0)+tonumber(DATA)))
  local have=m[5] or ''
  if not string.find(' '..have..' ',' '..key..' ',1,true) then call('HSET',rk,'arts',have=='' and key or have..' '..key) end
  return key
end)`,
);

export const stoppedStride = 4;

// The handler is gone: its slot is free, and an end that waited for this word shows it.
export const stopped = jobScript(
  'stopped',
  /* lua */ `
return each(5,${stoppedStride},false,function(id,fence,attempt,worker)
  local rk=P..'job:meta:'..id
  local m=record(id,'attempt','stopped')
  if not m[1] then call('ZREM',P..'slots:'..worker,id)
  elseif m[3]==fence and m[4]==attempt and ended(m[1]) then
    call('ZREM',P..'slots:'..worker,id)
    if not m[5] then call('HSET',rk,'stopped',ms) end
  end
  return true
end)`,
);
