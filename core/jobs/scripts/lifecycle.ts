// What happens to a job from outside its attempt: end (cancel, time-out, failure to place), requeue, due, announced.
import { jobScript, maxLosses } from './prelude.ts';

export const endStride = 8;

// An end at once, from any state that may go there, or only from the state and fence that were seen. A running attempt keeps its
// slot until its host says that it stopped or its lease runs out; what nobody runs has stopped already.
export const end = jobScript(
  'end',
  /* lua */ `
local out={}
for i=5,#ARGV,${endStride} do
  local id,tenant,to,seen,fence,code,message,any=unpack(ARGV,i,i+${endStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','tenant','worker','q','pool','lane','prio')
  local st=m[1]
  if not st or any~='1' and m[3]~=tenant then out[#out+1]={'missing','',false,'',''}
  elseif ended(st) then out[#out+1]={'already',st,endof(id),m[4] or '',m[2]}
  elseif seen~='' and (st~=seen or m[2]~=fence) or not may(st,to) then out[#out+1]={'moved',st,false,m[4] or '',m[2]}
  else
    if m[5]=='1' then dequeue(id,m[3],m[6],m[7],m[8]) end
    local h={'error_code',code,'error',message}
    if st~='DISPATCHED' and st~='RUNNING' then h[#h+1]='stopped' h[#h+1]=ms end
    out[#out+1]={'ended',to,finish(id,m[3],to,m[2],h),m[4] or '',m[2]}
  end
end
return {out,EV}`,
);

export const requeueStride = 5;

// Back to the ready queue. The attempt is void at once: whatever its host says from now on is stale.
export const requeue = jobScript(
  'requeue',
  /* lua */ `
local out={}
for i=5,#ARGV,${requeueStride} do
  local id,seen,fence,why,delay=unpack(ARGV,i,i+${requeueStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','tenant','worker','q','pool','lane','prio','created','deadline','losses')
  local st=m[1]
  if not st then out[#out+1]={'missing',false}
  elseif st~=seen or m[2]~=fence then out[#out+1]={'moved',false}
  elseif why=='ready' then
    if st~='SCHEDULED' or m[5]=='1' then out[#out+1]={'moved',false}
    else
      schedule(id,m[3],m[6],m[7],m[8],m[9],tonumber(m[10]),0)
      out[#out+1]={'queued',false}
    end
  elseif (st~='DISPATCHED' and st~='RUNNING') or not may(st,'SCHEDULED') then out[#out+1]={'moved',false}
  else
    local losses=tonumber(m[11] or '0')
    call('ZREM',P..'slots:'..m[4],id)
    if why=='lost' and losses>=${maxLosses} then
      out[#out+1]={'failed',finish(id,m[3],'FAILED',fence,{'losses',f0(losses+1),'error_code','worker_lost','error','the lease ran out '..f0(losses+1)..' times','attempt',''})}
    else
      local h={'state','SCHEDULED','updated_at',us,'attempt','','rundl','0'}
      if why=='lost' then h[#h+1]='losses' h[#h+1]=f0(losses+1) end
      call('HSET',rk,unpack(h))
      schedule(id,m[3],m[6],m[7],m[8],m[9],tonumber(m[10]),tonumber(delay))
      ev(id,m[3],'SCHEDULED',fence)
      out[#out+1]={tonumber(delay)>0 and 'delayed' or 'queued',false}
    end
  end
end
return {out,EV}`,
);

// What somebody must look at now. Taken by pushing it ahead, so that two reconcilers share the work and a dead one loses nothing.
export const due = jobScript(
  'due',
  /* lua */ `
local n,push=tonumber(ARGV[5]),tonumber(ARGV[6])
local ids=call('ZRANGE',DUE,'-inf',ms,'BYSCORE','LIMIT',0,n+1)
local out={}
for k=1,math.min(n,#ids) do
  local id=ids[k]
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','attempt','digest','principal','tenant','topic','trace','pool','lane','worker','inst','deadline','rundl','q','nb','hand')
  if not m[1] then call('ZREM',DUE,id)
  else
    due(id,now+push)
    local lease=(m[1]=='DISPATCHED' or m[1]=='RUNNING') and call('ZSCORE',P..'slots:'..(m[11] or ''),id) or false
    local packet=m[1]=='PENDING' and call('GET',P..'job:req:'..id) or false
    local e=ended(m[1]) and endof(id) or false
    local row={id}
    for j=1,17 do row[j+1]=m[j] or '' end
    row[19]=lease or '0' row[20]=packet row[21]=e
    out[#out+1]=row
  end
end
return {{ms,#ids>n and 1 or 0,out},EV}`,
);

export const announced = jobScript(
  'announced',
  /* lua */ `
for i=5,#ARGV do
  local st=call('HGET',P..'job:meta:'..ARGV[i],'state')
  if not st or ended(st) then call('ZREM',DUE,ARGV[i]) end
end
return {{},EV}`,
);
