// The text that an attempt gives out: `out:<id>`, one value that grows, and whose it is in the record's field `out` (`<fence>|<attempt>`).
// A job that gives out none has neither.
import { maxOutputBytes, outputPageBytes } from '../output.ts';
import { jobScript } from './prelude.ts';

export const outputStride = 5;

// The place decides: what is there already was said before, what would leave a hole is refused. No end for the key while the job lives.
export const output = jobScript(
  'output',
  /* lua */ `
return each(5,${outputStride},'missing',function(id,fence,attempt,at,text)
  local rk,key=P..'job:meta:'..id,P..'out:'..id
  local m=record(id,'attempt','attempts','out')
  if not m[1] then return 'missing' end
  if m[1]~='RUNNING' or m[3]~=fence or m[4]~=attempt then return 'stale' end
  local from,number,mine=num(at),f0(num(m[5] or '0')),m[6] and string.match(m[6],'^(%d+)|')==fence
  local have=mine and call('STRLEN',key) or 0
  if have>=from+#text then return 'ok' end
  if have~=from then return 'gap' end
  if from+#text>${maxOutputBytes} then return 'full' end
  if mine then call('APPEND',key,text)
  else
    call('SET',key,text)
    call('HSET',rk,'out',fence..'|'..number)
  end
  return 'ok'
end)`,
);

// ARGV[5]: id, [6] tenant, [7] fence, [8] place. {fence, attempt, place, text, next place, '1' for more}; nothing where there is no text.
export const readOutput = jobScript(
  'readOutput',
  /* lua */ `
local function inside(b) return b and b>=128 and b<192 end
local function page(id)
  local m=record(id,'out')
  if not m[1] or m[2]~=ARGV[6] or not m[4] then return false end
  local fence,attempt=string.match(m[4],'^(%d+)|(%d+)$')
  need(fence)
  local key,at=P..'out:'..id,fence==ARGV[7] and num(ARGV[8]) or 0
  local size=call('STRLEN',key)
  if size==0 then return false end
  if at>size then at=0 end
  -- One byte more than is answered tells whether a character is cut.
  local text=call('GETRANGE',key,f0(at),f0(at+${outputPageBytes}))
  if inside(string.byte(text,1)) then
    at=0
    text=call('GETRANGE',key,'0','${outputPageBytes}')
  end
  if #text>${outputPageBytes} then
    local n=${outputPageBytes}
    while inside(string.byte(text,n+1)) do n=n-1 end
    text=string.sub(text,1,n)
  end
  return {fence,num(attempt),at,beside(text),at+#text,at+#text<size and 1 or 0}
end
return reply(guard(ARGV[5],false,page,ARGV[5]))`,
);
