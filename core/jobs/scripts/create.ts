// create: accepts a job. Its record is the acceptance; an id that is known, or any of whose keys exists, is refused or recognised.
import { jobScript } from './prelude.ts';

/** Arguments per job; mode: 1 the payload comes along, 2 it must be there, 0 there is none. */
export const createStride = 14;

// ARGV[5]: ms after which an entry of the tenant's list can have no record any more; ARGV[6]: ids kept in job:recent.
export const create = jobScript(
  'create',
  /* lua */ `
local horizon,recent=tonumber(ARGV[5]),ARGV[6]
local out={}
for i=7,#ARGV,${createStride} do
  local id,tenant,topic,trace,principal,parent,prio,digest,packet,mode,payload,life,ikey,idigest=unpack(ARGV,i,i+${createStride - 1})
  local rk=P..'job:meta:'..id
  local answer
  if ikey~='' then
    local v=call('GET',P..'idem:'..tenant..':'..ikey)
    if v then
      local cut=string.find(v,' ',1,true)
      local oid,odigest=string.sub(v,1,cut-1),string.sub(v,cut+1)
      local o=call('HMGET',P..'job:meta:'..oid,'state','trace')
      if o[1] then
        if odigest~=idigest then answer={'idempotency_conflict',oid,'',''} else answer={'existing',oid,o[2],o[1]} end
      end
    end
  end
  if not answer then
    local there
    if mode=='1' then there=call('EXISTS',rk,P..'res:'..id,P..'job:events:'..id,P..'job:req:'..id,P..'ctx:'..id)
    else there=call('EXISTS',rk,P..'res:'..id,P..'job:events:'..id,P..'job:req:'..id) end
    if there>0 then
      local m=call('HMGET',rk,'state','digest','trace')
      if m[1] and m[2]==digest then answer={'existing',id,m[3],m[1]} else answer={'conflict',id,'',''} end
    end
  end
  if not answer then
    local ctx=P..'ctx:'..id
    answer={'created',id,trace,'PENDING'}
    if mode=='1' then call('SET',ctx,payload)
    elseif mode=='2' then if call('EXISTS',ctx)==0 then answer[1]='payload_missing' else call('PERSIST',ctx) end end
    call('SET',P..'job:req:'..id,packet)
    local deadline=now+tonumber(life)
    local h={'state','PENDING','updated_at',us,'topic',topic,'tenant',tenant,'trace',trace,'digest',digest,'created',ms,'deadline',f0(deadline),'prio',prio,'fence','0'}
    if principal~='' then h[#h+1]='principal' h[#h+1]=principal end
    if parent~='' then h[#h+1]='parent' h[#h+1]=parent end
    if ikey~='' then
      h[#h+1]='idem' h[#h+1]=ikey
      call('SET',P..'idem:'..tenant..':'..ikey,id..' '..idigest)
    end
    call('HSET',rk,unpack(h))
    local jobs=P..'jobs:'..tenant
    call('ZADD',jobs,ms,id)
    -- What is older than any record can be goes, now and then: one call in sixteen is enough.
    if now%16<1 then call('ZREMRANGEBYSCORE',jobs,'-inf',f0(now-horizon)) end
    call('ZADD',P..'job:recent',ms,id)
    call('ZREMRANGEBYRANK',P..'job:recent',0,-1-recent)
    if trace~='' then
      local tk=P..'trace:'..trace
      call('SADD',tk,id)
      call('PEXPIRE',tk,f0(horizon))
    end
    due(id,now+1000)
    ev(id,tenant,'PENDING','0')
  end
  out[#out+1]=answer
end
return {out,EV}`,
);
