// What happens to a job from outside its attempt: end (cancel, time-out, failure to place), requeue, due, announced.
import { jobScript, maxLosses, mostBytes, mostLosses, slotsMs } from './prelude.ts';

export const endStride = 8;

// An end at once, from any state that may go there, or only from the state and fence that were seen. A running attempt keeps its
// slot until its host says that it stopped or its lease runs out; what nobody runs has stopped already.
export const end = jobScript(
  'end',
  /* lua */ `
return each(5,${endStride},{'missing','',false,'',''},function(id,tenant,to,seen,fence,code,message,any)
  local rk=P..'job:meta:'..id
  local m=record(id,'worker','q','pool','lane','prio')
  local st,owner,last=m[1],m[2],m[3]
  if not st or any~='1' and owner~=tenant then return {'missing','',false,'',''} end
  if ended(st) then return {'already',st,endof(id),m[4] or '',last} end
  if seen~='' and (st~=seen or last~=fence) or not may(st,to) then return {'moved',st,false,m[4] or '',last} end
  local h={'error_code',code,'error',message}
  if m[5]=='1' then
    dequeue(id,owner,m[6],m[7],m[8])
    h[#h+1]='q' h[#h+1]='0'
  end
  if held(st) then call('PEXPIRE',P..'slots:'..m[4],${slotsMs}) else h[#h+1]='stopped' h[#h+1]=ms end
  return {'ended',to,finish(id,owner,to,last,h),m[4] or '',last}
end)`,
);

export const requeueStride = 5;

// Back to the ready queue. The attempt is void at once: whatever its host says from now on is stale.
export const requeue = jobScript(
  'requeue',
  /* lua */ `
return each(5,${requeueStride},{'missing',false},function(id,seen,fence,why,delay)
  local rk=P..'job:meta:'..id
  local m=record(id,'worker','q','pool','lane','prio','created','deadline','losses','fh','lb')
  local st,tenant=m[1],m[2]
  if not st then return {'missing',false} end
  if st~=seen or m[3]~=fence then return {'moved',false} end
  local pool,lane,prio=m[6],m[7],m[8]
  local created,deadline=num(m[9]),num(m[10])
  if why=='ready' then
    if st~='SCHEDULED' or m[5]=='1' then return {'moved',false} end
    need(pool and lane and prio)
    schedule(id,tenant,pool,lane,prio,created,deadline,0)
    return {'queued',false}
  end
  -- PENDING may become SCHEDULED as well, but by the gate alone.
  if not held(st) or not may(st,'SCHEDULED') then return {'moved',false} end
  local losses,open=num(m[11] or '0'),num(m[12] or '0')
  need(pool and lane and prio)
  call('ZREM',P..'slots:'..m[4],id)
  -- Those before the run of a workflow got on do not count, until there are very many.
  if why=='lost' and (losses-num(m[13] or '0')>=${maxLosses} or losses>=${mostLosses}) then
    local n=f0(losses+1)
    return {'failed',finish(id,tenant,'FAILED',fence,{'losses',n,'error_code','worker_lost','error','the lease ran out '..n..' times','attempt',''})}
  end
  local h={'state','SCHEDULED','updated_at',us,'attempt','','rundl','0'}
  if why=='lost' then h[#h+1]='losses' h[#h+1]=f0(losses+1) end
  -- Nobody listened: this hand-out is not out there.
  if why=='no_responders' and open>0 then h[#h+1]='fh' h[#h+1]=f0(open-1) end
  call('HSET',rk,unpack(h))
  schedule(id,tenant,pool,lane,prio,created,deadline,tonumber(delay))
  ev(id,tenant,'SCHEDULED',fence)
  return {tonumber(delay)>0 and 'delayed' or 'queued',false}
end)`,
);

// What somebody must look at now. Taken by pushing it ahead, so that two reconcilers share the work and a dead one loses nothing.
export const due = jobScript(
  'due',
  /* lua */ `
local n,push=tonumber(ARGV[5]),tonumber(ARGV[6])
local ids=call('ZRANGE',DUE,'-inf',ms,'BYSCORE','LIMIT',0,n+1)
local out,bytes,looked={},0,0
local function row(id)
  due(id,now+push) -- first, so that a broken one does not come back at once
  local m=record(id,'attempt','digest','principal','topic','trace','pool','lane','worker','inst','deadline','rundl','q','nb','hand','orphan')
  if not m[1] then call('ZREM',DUE,id) return false end
  local row={id}
  for j=1,17 do row[j+1]=m[j] or '' end
  row[19]=held(m[1]) and call('ZSCORE',P..'slots:'..(m[11] or ''),id) or '0'
  row[20]=m[1]=='PENDING' and value(P..'job:req:'..id)
  bytes=bytes+#(row[20] or '')
  row[21]=ended(m[1]) and endof(id)
  row[22]=m[18] or ''
  return row
end
for k=1,math.min(n,#ids) do
  if bytes>=${mostBytes} then break end
  looked=k
  local r=guard(ids[k],false,row,ids[k])
  if r then out[#out+1]=r end
end
return reply({ms,#ids>looked and 1 or 0,out})`,
);

// The first to say that an end is announced learns how it ended; everybody else nothing.
export const announced = jobScript(
  'announced',
  /* lua */ `
return each(5,1,false,function(id)
  local m=record(id,'topic')
  if m[1] and not ended(m[1]) then return false end
  return call('ZREM',DUE,id)==1 and m[1] and {m[1],m[4] or ''}
end)`,
);
