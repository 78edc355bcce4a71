// claim: hands the best n jobs of a pool to one worker, as many as it has free slots.
// In the highest non-empty priority it takes the tenant with the least virtual time over all lanes that the worker may serve,
// pops that tenant's oldest job, checks state, policy and deadline, and adds the job's cost (1) to the tenant in the whole pool
// (start-time fair queueing: Goyal, Vin, Cheng 1996). Stale ring scores are corrected when met.
import { jobScript } from './prelude.ts';

/** Fixed arguments of one claim, before its lanes. */
export const claimHead = 11;

/** Pops that may lead to nothing (ended, judged anew, past the deadline) beyond the jobs asked for, in one claim. */
const spare = 64;

export const claim = jobScript(
  'claim',
  /* lua */ `
local out={}
local a=5
while a<=#ARGV do
  local pool,worker,inst,n,cap,accept,seq,hash,rnd,wkey,nl=unpack(ARGV,a,a+${claimHead - 1})
  n,cap,accept,seq,nl=tonumber(n),tonumber(cap),tonumber(accept),tonumber(seq),tonumber(nl)
  local first=a+${claimHead} a=first+nl
  local jobs,regate,outcome={},{},'ok'
  -- What the worker itself wrote wins over what a heartbeat told; a worker that wrote nothing lately is gone.
  if wkey~='' then
    local w=call('HMGET',wkey,'inst','cap')
    if w[1]~=inst then outcome='gone' else cap=tonumber(w[2]) end
  end
  local sk=P..'slots:'..worker
  if wkey=='' then call('ZREMRANGEBYSCORE',sk,'-inf',ms) end -- nobody renews for a bus-only worker
  local used=call('ZCOUNT',sk,'('..ms,'+inf')
  if n>cap-used then n=cap-used end
  if outcome=='ok' and n>0 and nl>0 then
    local vk=P..'vt:'..pool
    local vts,heads,rings,taken,virtual={},{},{},{},nil
    local function vt(t) local v=vts[t] if not v then v=tonumber(call('ZSCORE',vk,t) or '0') vts[t]=v end return v end
    local function head(i)
      while true do
        local z=call('ZRANGE',rings[i],0,0,'WITHSCORES')
        if not z[1] then heads[i]=false return end
        local s,v=tonumber(z[2]),vt(z[1])
        if v>s then call('ZADD',rings[i],v,z[1]) else heads[i]={z[1],s} return end
      end
    end
    for prio=0,2 do for l=0,nl-1 do rings[prio*nl+l+1]=ring(pool,ARGV[first+l],prio) end end
    local looked,moved=0,{}
    while #jobs<n and looked<n+${spare} do
      looked=looked+1
      local bi,bs
      for prio=0,2 do
        for l=1,nl do
          local i=prio*nl+l
          if heads[i]==nil then head(i) end
          local h=heads[i]
          if h and vt(h[1])>h[2] then head(i) h=heads[i] end
          if h and (not bs or h[2]<bs) then bi,bs=i,h[2] end
        end
        if bi then break end
      end
      if not bi then break end
      local tenant,rk=heads[bi][1],rings[bi]
      local lane=ARGV[first+(bi-1)%nl]
      local tq=rk..':'..tenant
      local popped=call('ZPOPMIN',tq)
      local id=popped[1]
      local jk=id and P..'job:meta:'..id
      if id then
        taken[lane]=(taken[lane] or 0)+1
        local m=call('HMGET',jk,'state','policy','fence','topic','trace','timeout','deadline','created','queued','cons','hand','fh','digest','principal')
        local deadline=tonumber(m[7] or '0')
        local jseq,jhash=string.match(m[2] or '','^(%d+):(.*)$')
        if m[1]~='SCHEDULED' then
          -- Cannot be while every script that changes a queued job takes it out; if it is, it is not handed out.
        elseif deadline<=now then
          call('HSET',jk,'q','0') due(id,now)
        elseif jhash~=hash and tonumber(jseq or '0')<seq then
          call('HSET',jk,'state','PENDING','updated_at',us,'q','0','safety_decision','','safety_reason','policy changed')
          due(id,now+1000)
          ev(id,tenant,'PENDING',m[3])
          regate[#regate+1]={id,tenant,m[13],m[14] or '',call('GET',P..'job:req:'..id)}
        else
          virtual=bs
          vts[tenant]=bs+1 moved[tenant]=true
          local fence=math.max(tonumber(m[3])+1,now)
          local fs,attempt=f0(fence),rnd..f0(#jobs)
          local lease=accept>0 and accept or tonumber(m[6])
          local h={'state','DISPATCHED','updated_at',us,'fence',fs,'attempt',attempt,'worker',worker,'inst',inst,'q','0'}
          if not m[11] or m[11]=='0' then h[#h+1]='hand' h[#h+1]=ms end
          if accept==0 then h[#h+1]='fh' h[#h+1]=f0(tonumber(m[12] or '0')+1) end
          call('HSET',jk,unpack(h))
          call('ZADD',sk,f0(now+lease),id)
          due(id,math.min(now+lease,deadline))
          ev(id,tenant,'DISPATCHED',fs)
          jobs[#jobs+1]={id,tenant,m[4],m[5],fs,attempt,call('GET',P..'job:req:'..id),m[10] or '',m[6],m[7],m[8],m[9] or ms}
        end
      end
      if call('EXISTS',tq)==0 then call('ZREM',rk,tenant) heads[bi]=nil
      elseif vt(tenant)>bs then call('ZADD',rk,vt(tenant),tenant) heads[bi]=nil end
    end
    if virtual then
      local z={virtual,''}
      for t in pairs(moved) do z[#z+1]=vts[t] z[#z+1]=t end
      call('ZADD',vk,unpack(z))
    end
    for lane,k in pairs(taken) do uncount(pool,lane,k) end
  end
  out[#out+1]={outcome,used+#jobs,cap,jobs,regate}
end
return {out,EV}`,
);
