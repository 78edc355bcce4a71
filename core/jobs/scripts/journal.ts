// The journal's scripts, on the prelude of the job store: they look at the run's record and never write it, but for `lb`: the losses after
// which the run got on. A run that gets on between two deaths of its orchestrators is not the one that kills them.
import { jobScript } from './prelude.ts';
import { maxLines, maxSignals, seedMs } from '#core/workflow/journal.ts';
import { stopSignal, workflowPrefix } from '#core/workflow/run.ts';

// ARGV[5]: id, [6] fence, [7] attempt, [8] lines before, [9] 1 when it got on, [10...] lines.
export const append = jobScript(
  'wfAppend',
  /* lua */ `
local id,from=ARGV[5],num(ARGV[8])
local k=P..'wf:'..id
local m=record(id,'attempt','deadline','losses','lb')
if not m[1] or not held(m[1]) or m[3]~=ARGV[6] or m[4]~=ARGV[7] then return reply('stale') end
local len,n=call('LLEN',k),#ARGV-9
if len==from+n then
  -- The same call again: its answer was lost.
  local there=call('LRANGE',k,from,-1)
  for i=1,n do if there[i]~=ARGV[9+i] then return reply('moved') end end
  return reply('ok')
end
if len~=from then return reply('moved') end
if len+n>${maxLines} then return reply('full') end
for i=10,#ARGV,1000 do call('RPUSH',k,unpack(ARGV,i,math.min(i+999,#ARGV))) end
-- It is there as long as the record may be, and what a seed brought with it.
local till=num(m[5])+META
if call('PTTL',k)<till-now-1000 then
  call('PEXPIREAT',k,f0(till))
  call('PEXPIREAT',k..':in',f0(till))
end
if ARGV[9]=='1' and (m[6] or '0')~=(m[7] or '0') then call('HSET',P..'job:meta:'..id,'lb',m[6]) end
return reply('ok')`,
);

// ARGV[5]: id, [6] tenant, [7] from, [8] how many at most.
export const read = jobScript(
  'wfRead',
  /* lua */ `
local m=record(ARGV[5])
if not m[1] or m[2]~=ARGV[6] then return reply(false) end
return reply({call('LLEN',P..'wf:'..ARGV[5]),call('LRANGE',P..'wf:'..ARGV[5],ARGV[7],num(ARGV[7])+num(ARGV[8])-1)})`,
);

// ARGV[5]: id, [6] tenant, [7] from, [8] how many at most.
export const signals = jobScript(
  'wfSignals',
  /* lua */ `
local m=record(ARGV[5])
if not m[1] or m[2]~=ARGV[6] then return reply({}) end
return reply(call('LRANGE',P..'wf:'..ARGV[5]..':in',ARGV[7],num(ARGV[7])+num(ARGV[8])-1))`,
);

export const counts = jobScript(
  'wfCounts',
  /* lua */ `return each(5,1,0,function(id) return call('LLEN',P..'wf:'..id..':in') end)`,
);

// ARGV[5]: id, [6] tenant, [7] name, [8] value, [9] key.
export const send = jobScript(
  'wfSend',
  /* lua */ `
local id,key=ARGV[5],ARGV[9]
local k=P..'wf:'..id..':in'
local m=record(id,'topic','deadline')
if not m[1] or m[2]~=ARGV[6] then return reply('missing') end
if string.sub(m[4] or '',1,${workflowPrefix.length})~='${workflowPrefix}' then return reply('other') end
if ended(m[1]) then return reply('ended') end
if key~='' and call('SISMEMBER',k..':keys',key)==1 then return reply('known') end
-- A run that was flooded can still be stopped.
if call('LLEN',k)>=${maxSignals}+(ARGV[7]=='${stopSignal}' and 10 or 0) then return reply('full') end
local at=f0(num(m[5])+META)
call('RPUSH',k,ms..' '..ARGV[7]..' '..ARGV[8])
call('PEXPIREAT',k,at)
if key~='' then
  call('SADD',k..':keys',key)
  call('PEXPIREAT',k..':keys',at)
end
return reply('noted')`,
);

// ARGV[5]: id, [6] 1 for its first part, [7] lines, [8...] these lines and then signals. Nothing is over what is there.
export const seed = jobScript(
  'wfSeed',
  /* lua */ `
local k=P..'wf:'..ARGV[5]
local first=ARGV[6]=='1'
if call('EXISTS',P..'job:meta:'..ARGV[5])>0 or first and call('EXISTS',k,k..':in')>0 then return reply('there') end
local n=num(ARGV[7])
for i=8,#ARGV do call('RPUSH',i<8+n and k or k..':in',ARGV[i]) end
call('PEXPIRE',k,${seedMs})
call('PEXPIRE',k..':in',${seedMs})
return reply('ok')`,
);

// ARGV[5]: id. What a job has that was made after all is left alone.
export const unseed = jobScript(
  'wfUnseed',
  /* lua */ `
local k=P..'wf:'..ARGV[5]
if call('EXISTS',P..'job:meta:'..ARGV[5])==0 then call('UNLINK',k,k..':in') end
return reply('ok')`,
);

// Per result: its pointer.
export const there = jobScript(
  'wfThere',
  /* lua */ `
return each(5,1,0,function(pointer)
  local key=string.match(pointer,'^redis://(.+)$')
  return key and call('EXISTS',P..key) or 0
end)`,
);
