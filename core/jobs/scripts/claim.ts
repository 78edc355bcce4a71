// claim: hands the best n jobs of a pool to one worker, as many as it has free slots.
// In the highest non-empty priority it takes the tenant with the least virtual time over all lanes that the worker may serve,
// pops that tenant's oldest job, checks state, policy and deadline, and adds the job's cost, over the tenant's weight, to the tenant in the whole pool
// (start-time fair queueing: Goyal, Vin, Cheng 1996). Stale ring scores are corrected when met.
import { jobScript, mostBytes, slotsMs } from './prelude.ts';
import { tidy } from './tidy.ts';

/** Fixed arguments of one claim, before its lanes. */
export const claimHead = 12;

/** Pops that may lead to nothing (ended, judged anew, past the deadline) beyond the jobs asked for, in one claim. */
const spare = 64;

/** Longer in the queue than this: no worker was there, ms. */
export const idleMs = 10_000;

/**
 * Jobs handed out by one claim at most; Lua cannot unpack lists without limit. And pops after which the further claims of a call are put
 * off, as they are when the answer holds enough: Redis does nothing else meanwhile.
 */
export const mostPerClaim = 1000;

export const claim = jobScript(
  'claim',
  /* lua */ `${tidy}
local out={}
local a=5
local bytes,pops=0,0 -- of the whole call
while a<=#ARGV do
  local pool,worker,inst,n,cap,accept,seq,hash,rnd,wkey,nl,nw=unpack(ARGV,a,a+${claimHead - 1})
  n,cap,accept,seq,nl,nw=tonumber(n),tonumber(cap),tonumber(accept),tonumber(seq),tonumber(nl),tonumber(nw)
  local first=a+${claimHead} a=first+nl+nw*2
  local weights={}
  for i=first+nl,a-2,2 do weights[ARGV[i]]=tonumber(ARGV[i+1]) end
  local jobs,regate,outcome={},{},'ok'
  -- What the worker itself wrote wins over what a heartbeat told; a worker that wrote nothing lately is gone.
  if inst=='' and not foreign(worker) then outcome='gone' end -- a worker of ours has a process
  if wkey~='' then
    local w=call('HMGET',wkey,'inst','cap')
    if w[1]~=inst then outcome='gone' else cap=tonumber(w[2] or '') or cap end
  end
  if outcome=='ok' and (bytes>=${mostBytes} or pops>=${mostPerClaim}) then outcome='later' end
  local sk=P..'slots:'..worker
  -- Nobody renews for a bus-only worker.
  if inst=='' then call('ZREMRANGEBYSCORE',sk,'-inf',ms) call('PEXPIRE',sk,${slotsMs}) end
  local used=call('ZCOUNT',sk,'('..ms,'+inf')
  n=math.min(n,cap-used,${mostPerClaim})
  -- A job out of the queue: handed out (its cost), or not for this worker and this policy (false).
  local function take(id,tenant)
    local jk=P..'job:meta:'..id
    local m=record(id,'policy','topic','trace','timeout','deadline','created','queued','cons','hand','fh','digest','principal','arts','cost')
    -- Every script that changes a queued job takes it out; should one be found here all the same, it is not handed out.
    if m[1]~='SCHEDULED' then return false end
    local packet,fence,timeout,deadline,cost=value(P..'job:req:'..id),num(m[3]),num(m[7]),num(m[8]),num(m[17] or '1')
    if deadline<=now then
      call('HSET',jk,'q','0') due(id,now)
      return false
    end
    if not packet then
      finish(id,tenant,'FAILED',m[3],{'q','0','error_code','data_loss','error','the packet of the job is not in the store','stopped',ms})
      return false
    end
    bytes=bytes+#packet
    local jseq,jhash=string.match(m[4] or '','^(%d+):(.*)$')
    if jhash~=hash and tonumber(jseq or '0')<seq then
      call('HSET',jk,'state','PENDING','updated_at',us,'q','0','safety_decision','','safety_reason','policy changed')
      due(id,now+1000)
      ev(id,tenant,'PENDING',m[3])
      regate[#regate+1]={id,tenant,m[14],m[15] or '',packet}
      return false
    end
    local fs,attempt=f0(math.max(fence+1,now)),rnd..f0(#jobs)
    local till=now+(accept>0 and accept or timeout)
    local h={'state','DISPATCHED','updated_at',us,'fence',fs,'attempt',attempt,'worker',worker,'inst',inst,'q','0'}
    -- Only time in which workers were asked counts towards the dispatch time-out, not time in which none was there.
    if not m[12] or m[12]=='0' or now-num(m[10] or ms)>${idleMs} then h[#h+1]='hand' h[#h+1]=ms end
    if accept==0 then h[#h+1]='fh' h[#h+1]=f0(num(m[13] or '0')+1) end
    if m[16] then h[#h+1]='arts' h[#h+1]='' end -- of an attempt that is void; they have an end of their own
    call('HSET',jk,unpack(h))
    call('ZADD',sk,f0(till),id)
    due(id,math.min(till,deadline))
    ev(id,tenant,'DISPATCHED',fs)
    jobs[#jobs+1]={id,tenant,m[5],m[6],fs,attempt,packet,m[11] or '',m[7],m[8],m[9],m[10] or ms,ms}
    return cost
  end
  if outcome=='ok' and n>0 and nl>0 then
    local vk=P..'vt:'..pool
    local vts,heads,rings,taken,virtual={},{},{},{},nil
    local function vt(t) local v=vts[t] if not v then v=tonumber(call('ZSCORE',vk,t) or '0') vts[t]=v end return v end
    -- The first of a ring, its score, and the score of the next: as long as the first stays below that, the ring need not be read anew.
    local function head(i)
      local h=heads[i]
      if h and h.moved then call('ZADD',rings[i],vt(h[1]),h[1]) end
      while true do
        local z=call('ZRANGE',rings[i],0,1,'WITHSCORES')
        if not z[1] then heads[i]=false return end
        local s,v=tonumber(z[2]),vt(z[1])
        if v>s then call('ZADD',rings[i],v,z[1]) else heads[i]={z[1],s,tonumber(z[4] or 'inf'),rings[i]..':'..z[1]} return end
      end
    end
    for prio=0,2 do for l=0,nl-1 do rings[prio*nl+l+1]=ring(pool,ARGV[first+l],prio) end end
    local looked,moved,popped=0,{},{}
    while #jobs<n and looked<n+${spare} and bytes<${mostBytes} do
      looked=looked+1 pops=pops+1
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
      local h,lane=heads[bi],ARGV[first+(bi-1)%nl]
      local tenant,tq=h[1],h[4]
      local id=call('ZPOPMIN',tq)[1]
      if id then
        taken[lane]=(taken[lane] or 0)+1
        popped[tq]=bi
        local cost=guard(id,false,take,id,tenant)
        if cost then
          virtual=math.max(virtual or 0,bs)
          local v=bs+cost/(weights[tenant] or 1)
          vts[tenant]=v moved[tenant]=true
          h.moved=true
          if v<h[3] then h[2]=v else head(bi) end
        end
      else
        -- Its last job was taken by this claim: no look that led to nothing.
        call('ZREM',rings[bi],tenant)
        heads[bi]=nil popped[tq]=nil looked=looked-1
      end
    end
    for i,h in pairs(heads) do if h and h.moved then call('ZADD',rings[i],vt(h[1]),h[1]) end end
    for tq,i in pairs(popped) do
      if call('EXISTS',tq)==0 then call('ZREM',rings[i],string.sub(tq,#rings[i]+2)) end
    end
    if virtual then
      -- Virtual time never goes back: a lower priority, or a lane that waited long for its worker, may be served at an old score.
      local z={virtual,''}
      for t in pairs(moved) do z[#z+1]=vts[t] z[#z+1]=t end
      call('ZADD',vk,'GT',unpack(z))
      if now%16<1 then tidy(pool) end -- now and then is enough
    end
    for lane,k in pairs(taken) do count(pool,lane,-k) end
  end
  out[#out+1]={outcome,used+#jobs,cap,jobs,regate}
end
return reply(out)`,
);
