// gate: applies the kernel's verdict to a PENDING job, if the job that was judged is the one that is stored.
import { jobScript } from './prelude.ts';

export const gateStride = 15;

export const gate = jobScript(
  'gate',
  /* lua */ `
local out={}
for i=5,#ARGV,${gateStride} do
  local id,digest,to,decision,reason,rule,policy,cons,pool,lane,timeout,retries,hold,code,message=unpack(ARGV,i,i+${gateStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','digest','tenant','prio','created','deadline','safety_reason')
  local st=m[1]
  if not st then out[#out+1]={'missing','',false}
  elseif m[2]~=digest then out[#out+1]={'digest',st,false}
  elseif st~='PENDING' or (to~='PENDING' and not may(st,to)) then out[#out+1]={'state',st,false}
  else
    local tenant,deadline=m[3],tonumber(m[6])
    local e=false
    if to=='PENDING' then
      if m[7]~=reason then call('HSET',rk,'safety_decision',decision,'safety_reason',reason,'rule',rule) end
      due(id,math.min(now+tonumber(hold),deadline))
    elseif to=='SCHEDULED' or to=='AWAITING_APPROVAL' then
      local h={'state',to,'updated_at',us,'safety_decision',decision,'safety_reason',reason,'rule',rule,'policy',policy,'pool',pool,'lane',lane,'timeout',timeout,'retries',retries}
      if cons~='' then h[#h+1]='cons' h[#h+1]=cons end
      if to=='SCHEDULED' then
        h[#h+1]='q' h[#h+1]='1' h[#h+1]='queued' h[#h+1]=ms
        enqueue(id,tenant,pool,lane,m[4],m[5])
      end
      call('HSET',rk,unpack(h))
      if cons=='' and m[7] then call('HDEL',rk,'cons') end
      due(id,deadline)
      ev(id,tenant,to,'0')
    else
      e=finish(id,tenant,to,'0',{'safety_decision',decision,'safety_reason',reason,'rule',rule,'policy',policy,'error_code',code,'error',message,'stopped',ms})
    end
    out[#out+1]={'applied',to,e}
  end
end
return {out,EV}`,
);
