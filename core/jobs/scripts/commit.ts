// The end of an attempt: commit (our own hosts, fenced) and commitForeign (bus-only workers, by the rules of design.md "CAP").
import { pseudoPrefix } from '../lane.ts';
import { jobScript } from './prelude.ts';

export const commitStride = 11;

// The result and the end, or the retry, in one step; the slot is free afterwards. A lease that ran out does not matter as long as
// nobody else got the job: the fence is the judge.
export const commit = jobScript(
  'commit',
  /* lua */ `
local out={}
for i=5,#ARGV,${commitStride} do
  local id,fence,attempt,worker,to,retryable,backoff,has,result,exec,errors=unpack(ARGV,i,i+${commitStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','attempt','tenant','error_code','committed')
  local st=m[1]
  if not st then out[#out+1]={'missing','',false}
  elseif m[2]~=fence or m[3]~=attempt then out[#out+1]={'stale',st,false}
  elseif st==to and m[6] then out[#out+1]={'committed',st,endof(id)}
  elseif (st~='RUNNING' and st~='DISPATCHED') or not may(st,to) then out[#out+1]={'stale',st,false}
  else
    local cut=string.find(errors,'|',1,true)
    local code,message=string.sub(errors,1,cut-1),string.sub(errors,cut+1)
    local tenant=m[4]
    local again=false
    if to=='FAILED' then
      local r=call('HMGET',rk,'failures','retries','pool','lane','prio','created','deadline')
      local failures=tonumber(r[1] or '0')+1
      call('HSET',rk,'failures',f0(failures))
      if retryable=='1' and failures<=tonumber(r[2] or '0') and tonumber(r[7])>now and may(st,'SCHEDULED') then
        again=true
        call('HSET',rk,'state','SCHEDULED','updated_at',us,'attempt','','rundl','0','error_code',code,'error',message)
        call('ZREM',P..'slots:'..worker,id)
        schedule(id,tenant,r[3],r[4],r[5],r[6],tonumber(r[7]),tonumber(backoff))
        ev(id,tenant,'SCHEDULED',fence)
        out[#out+1]={'retry','SCHEDULED',false}
      end
    end
    if not again then
      local h={'exec_ms',exec,'stopped',ms,'committed','1'}
      if has=='1' then
        call('SET',P..'res:'..id,result,'PX',DATA)
        h[#h+1]='result_ptr' h[#h+1]='redis://res:'..id
      end
      if errors~='|' or m[5] then
        h[#h+1]='error_code' h[#h+1]=code h[#h+1]='error' h[#h+1]=message
      end
      call('ZREM',P..'slots:'..worker,id)
      out[#out+1]={'committed',to,finish(id,tenant,to,fence,h)}
    end
  end
end
return {out,EV}`,
);

export const foreignStride = 10;

// A result over the bus proves little: it carries no fence. SUCCEEDED of any hand-out to the subject counts while the policy that
// judged is in force; another status only when exactly one hand-out is open. The result is copied to a sealed key, because the
// worker may write its own key again at any time.
export const commitForeign = jobScript(
  'commitForeign',
  /* lua */ `
local out={}
for i=5,#ARGV,${foreignStride} do
  local id,to,key,arts,name,exec,code,message,seq,hash=unpack(ARGV,i,i+${foreignStride - 1})
  local rk=P..'job:meta:'..id
  local m=call('HMGET',rk,'state','fence','worker','tenant','policy','fh','failures','retries')
  local st=m[1]
  if not st then out[#out+1]={'missing','',false}
  elseif (st~='DISPATCHED' and st~='RUNNING') or string.sub(m[3] or '',1,${pseudoPrefix.length})~='${pseudoPrefix}' or not may(st,to) then out[#out+1]={'stale',st,false}
  else
    local jseq,jhash=string.match(m[5] or '','^(%d+):(.*)$')
    local judged=jhash==hash or tonumber(jseq or '-1')>=tonumber(seq)
    if to=='SUCCEEDED' and not judged or to~='SUCCEEDED' and m[6]~='1' then out[#out+1]={'stale',st,false}
    else
      local tenant,fence=m[4],m[2]
      local failures=tonumber(m[7] or '0')+1
      local r=to=='FAILED' and call('HMGET',rk,'pool','lane','prio','created','deadline')
      if r and failures<=tonumber(m[8] or '0') and tonumber(r[5])>now then
        call('HSET',rk,'state','SCHEDULED','updated_at',us,'attempt','','failures',f0(failures),'fh','0','error_code',code,'error',message)
        call('ZREM',P..'slots:'..m[3],id)
        schedule(id,tenant,r[1],r[2],r[3],r[4],tonumber(r[5]),0)
        ev(id,tenant,'SCHEDULED',fence)
        out[#out+1]={'retry','SCHEDULED',false}
      else
        local h={'exec_ms',exec,'stopped',ms,'committed','1','worker',name,'error_code',code,'error',message,'attempts',m[6]}
        if to=='FAILED' then h[#h+1]='failures' h[#h+1]=f0(failures) end
        if key~='' then
          local sealed='res:'..id..'-sealed-'..fence
          if call('COPY',P..key,P..sealed,'REPLACE')==1 then
            call('PEXPIRE',P..sealed,DATA) call('PEXPIRE',P..key,DATA)
            h[#h+1]='result_ptr' h[#h+1]='redis://'..sealed
          end
        end
        if arts~='' then h[#h+1]='arts' h[#h+1]=arts end
        call('ZREM',P..'slots:'..m[3],id)
        out[#out+1]={'committed',to,finish(id,tenant,to,fence,h)}
      end
    end
  end
end
return {out,EV}`,
);
