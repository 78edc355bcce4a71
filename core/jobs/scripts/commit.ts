// The end of an attempt: commit (our own hosts, fenced) and commitForeign (bus-only workers, by the rules of design.md "CAP").
import { memoryLua } from './memory-log.ts';
import { jobScript } from './prelude.ts';

export const commitStride = 11;

// The result and the end, or the retry, in one step; the slot is free afterwards. A lease that ran out does not matter as long as
// nobody else got the job: the fence is the judge.
export const commit = jobScript(
  'commit',
  /* lua */ `${memoryLua}
return each(5,${commitStride},{'missing','',false},function(id,fence,attempt,to,retryable,backoff,has,result,exec,errors,memory)
  local rk=P..'job:meta:'..id
  local m=record(id,'attempt','error_code','committed','worker','topic','trace','arts','result_ptr','fh',unpack(REST))
  local st,tenant=m[1],m[2]
  if not st then return {'missing','',false} end
  if m[3]~=fence or m[4]~=attempt then return {'stale',st,false} end
  if st==to and m[6] then return {'committed',st,endof(id)} end
  if not held(st) or not may(st,to) then return {'stale',st,false} end
  -- Read before anything is written.
  local kept=memory~='' and to=='SUCCEEDED' and cjson.decode(memory)
  local slots=P..'slots:'..m[7]
  local cut=string.find(errors,'|',1,true)
  local code,message=string.sub(errors,1,cut-1),string.sub(errors,cut+1)
  local h={'exec_ms',exec,'stopped',ms,'committed','1'}
  if to=='FAILED' then
    local r=call('HMGET',rk,'failures','retries','pool','lane','prio','created','deadline')
    local failures,retries,created,deadline=num(r[1] or '0')+1,num(r[2] or '0'),num(r[6]),num(r[7])
    if retryable=='1' and failures<=retries and deadline>now and may(st,'SCHEDULED') then
      need(r[3] and r[4] and r[5])
      call('HSET',rk,'state','SCHEDULED','updated_at',us,'attempt','','rundl','0','failures',f0(failures),'error_code',code,'error',message)
      call('ZREM',slots,id)
      schedule(id,tenant,r[3],r[4],r[5],created,deadline,tonumber(backoff))
      ev(id,tenant,'SCHEDULED',fence)
      return {'retry','SCHEDULED',false}
    end
    h[#h+1]='failures' h[#h+1]=f0(failures)
    if retryable~='1' then h[#h+1]='final' h[#h+1]='1' end
  end
  local ptr=m[11] or ''
  if has=='1' then
    ptr='redis://res:'..id
    call('SET',P..'res:'..id,result,'PX',DATA)
    -- A bus-only worker that had it before may still write that key: what is read is a copy.
    if num(m[12] or '0')>0 then
      local sealed='res:'..id..':sealed:'..fence
      ptr='redis://'..sealed
      call('SET',P..sealed,result,'PX',DATA)
    end
    h[#h+1]='result_ptr' h[#h+1]=ptr
  end
  if errors~='|' or m[5] then
    h[#h+1]='error_code' h[#h+1]=code h[#h+1]='error' h[#h+1]=message
  end
  call('ZREM',slots,id)
  if kept then remember(tenant,kept.memory,id,id,kept.said,kept.limits) end
  local told={id,to,tenant,m[8] or '',m[9] or '',m[7],ptr,exec,code,message,m[10] or ''}
  return {'committed',to,finish(id,tenant,to,fence,h,told,{unpack(m,13,12+#REST)})}
end)`,
);

export const foreignStride = 10;

// A result over the bus proves little: it carries no fence. SUCCEEDED of any hand-out to the subject counts while the policy that
// judged is in force; another status only when exactly one hand-out is open. The result is copied to a sealed key, because the
// worker may write its own key again at any time.
export const commitForeign = jobScript(
  'commitForeign',
  /* lua */ `
-- res:<id> or res:<id>-..., unless that is the result of another job; and text, since nothing else can be read.
local function own(id,key)
  if key~='res:'..id then
    if string.sub(key,1,#id+5)~='res:'..id..'-' then return false end
    if call('EXISTS',P..'job:meta:'..string.sub(key,5))==1 then return false end
  end
  local kind=call('TYPE',P..key).ok
  return kind=='string' or kind=='none'
end
return each(5,${foreignStride},{'missing','',false},function(id,to,key,arts,name,exec,code,message,seq,hash)
  local rk=P..'job:meta:'..id
  local m=record(id,'worker','policy','fh','failures','retries')
  local st,tenant,fence=m[1],m[2],m[3]
  if not st then return {'missing','',false} end
  -- Such a worker gives its key no end; this is the last that is heard of it.
  if ended(st) then call('PEXPIRE',P..'res:'..id,DATA,'NX') end
  if not held(st) or not foreign(m[4]) or not may(st,to) then return {'stale',st,false} end
  if key~='' and not own(id,key) then
    to,key,code,message='FAILED','','bad_result_ptr',"result_ptr names a key that is not the job's"
    if not may(st,to) then return {'stale',st,false} end
  end
  local jseq,jhash=string.match(m[5] or '','^(%d+):(.*)$')
  local judged=jhash==hash or tonumber(jseq or '-1')>=tonumber(seq)
  if to=='SUCCEEDED' and not judged or to~='SUCCEEDED' and m[6]~='1' then return {'stale',st,false} end
  local slots=P..'slots:'..m[4]
  local h={'exec_ms',exec,'stopped',ms,'committed','1','worker',name,'error_code',code,'error',message,'attempts',m[6] or '1'}
  if to=='FAILED' then
    local r=call('HMGET',rk,'pool','lane','prio','created','deadline')
    local failures,created,deadline=num(m[7] or '0')+1,num(r[4]),num(r[5])
    if failures<=num(m[8] or '0') and deadline>now then
      need(r[1] and r[2] and r[3])
      call('HSET',rk,'state','SCHEDULED','updated_at',us,'attempt','','rundl','0','failures',f0(failures),'fh','0','error_code',code,'error',message)
      call('ZREM',slots,id)
      schedule(id,tenant,r[1],r[2],r[3],created,deadline,0)
      ev(id,tenant,'SCHEDULED',fence)
      return {'retry','SCHEDULED',false}
    end
    h[#h+1]='failures' h[#h+1]=f0(failures)
  end
  if key~='' then
    -- A colon is in no id, so no job can be named so that this is its own result.
    local sealed='res:'..id..':sealed:'..fence
    if call('COPY',P..key,P..sealed,'REPLACE')==1 then
      call('PEXPIRE',P..sealed,DATA) call('PEXPIRE',P..key,DATA)
      h[#h+1]='result_ptr' h[#h+1]='redis://'..sealed
    end
  end
  call('PEXPIRE',P..'res:'..id,DATA,'NX')
  local believed={}
  for art in string.gmatch(arts,'[^ ]+') do if own(id,art) then believed[#believed+1]=art end end
  if #believed>0 then h[#h+1]='arts' h[#h+1]=table.concat(believed,' ') end
  call('ZREM',slots,id)
  return {'committed',to,finish(id,tenant,to,fence,h)}
end)`,
);
