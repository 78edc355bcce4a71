// What requests to models took: counted once each, summed per tenant, day and model in `usage:<tenant>:<YYYY-MM-DD>`; and read.
import { meteredMs, mostModels, mostRequests, mostSum, otherModels } from '../usage.ts';
import { jobScript, mostBytes } from './prelude.ts';

/** The sums of one model, each a field `<model> <letter>`: requests, unmetered, unpriced, input, output, cost. */
export const usageLetters = ['r', 'u', 'p', 'i', 'o', 'c'] as const;

export const meterStride = 9;

// ARGV[5]: ms to keep a day. Per request: id, attempt, number, tenant, model, '1' for tokens that are known, input, output, cost ('' for none).
// The job itself may have ended, or be gone: what was asked was paid for. A bit of `metered:<id>:<attempt>` says that a request was counted.
export const meter = jobScript(
  'meter',
  /* lua */ `
-- Civil date of a count of days since 1970, by the calendar's 400 years of 146,097 days, each year from March on.
local function civil(days)
  local z=days+719468
  local era=math.floor(z/146097)
  local doe=z-era*146097
  local yoe=math.floor((doe-math.floor(doe/1460)+math.floor(doe/36524)-math.floor(doe/146096))/365)
  local doy=doe-(365*yoe+math.floor(yoe/4)-math.floor(yoe/100))
  local mp=math.floor((5*doy+2)/153)
  local month=mp<10 and mp+3 or mp-9
  return format('%04d-%02d-%02d',yoe+era*400+(month<=2 and 1 or 0),month,doy-math.floor((153*mp+2)/5)+1)
end
local today=civil(math.floor(now/86400000))
return reply(all(6,${meterStride},false,function(id,attempt,n,tenant,model,known,input,output,cost)
  local seen,day=P..'metered:'..id..':'..attempt,P..'usage:'..tenant..':'..today
  if num(n)>${mostRequests} then error('a request beyond the bound') end
  if call('GETBIT',seen,n)==1 then return false end
  if call('HEXISTS',day,model..' r')==0 then
    local fields=call('HLEN',day)
    if fields>=${mostModels * usageLetters.length} then model='${otherModels}' end
  end
  call('SETBIT',seen,n,1)
  call('PEXPIRE',seen,${meteredMs})
  local sums={1,known=='1' and 0 or 1,known=='1' and cost=='' and 1 or 0,input,output,cost=='' and 0 or cost}
  for i,letter in ipairs({${usageLetters.map((letter) => `'${letter}'`).join(',')}}) do
    local field=model..' '..letter
    if call('HINCRBY',day,field,sums[i])>${mostSum} then call('HSET',day,field,'${mostSum}') end
  end
  call('PEXPIRE',day,ARGV[5],'NX')
  return true
end))`,
);

// ARGV[5]: tenant, [6...] days. {per day its fields and values}, of as many days as the answer has room for, and of one at least.
export const usage = jobScript(
  'usage',
  /* lua */ `
local out,bytes={},0
for i=6,#ARGV do
  if bytes>=${mostBytes} then break end
  local row=call('HGETALL',P..'usage:'..ARGV[5]..':'..ARGV[i])
  for _,v in ipairs(row) do bytes=bytes+#v end
  out[#out+1]=row
end
return reply(out)`,
);
