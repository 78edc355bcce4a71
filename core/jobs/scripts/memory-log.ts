// The scripts of memories, on the prelude of the job store: an append looks at the record of the job that it comes from, and the commit of a
// job appends by itself. Keys: mem:<tenant>:<memory>:events, the entries as JSON; :head, a hash; :keys, a zset of what was appended under a
// key by the number behind it; mems:<tenant>, a zset of memories by when they were
// written; mems:<tenant>:made, how many were begun. No tenant has a colon, and what stands behind
// the last colon is ours, so no memory can be named so that these are another's.
import { jobScript } from './prelude.ts';

/** What commit.ts needs as well. ARGV are the caller's. */
export const memoryLua = /* lua */ `
local function memkey(tenant,memory) return P..'mem:'..tenant..':'..memory end
local function dropmem(k) return call('UNLINK',k..':events',k..':head',k..':keys') end
-- limits: entries, bytes, memories, ttl. said: {{role,content},...}
local function touch(tenant,memory,k,limits)
  local ttl=num(limits[4])
  local head=k..':head'
  if call('HEXISTS',head,'epoch')==0 then
    -- Never one that a memory of this name had before.
    local counter=P..'mems:'..tenant..':made'
    call('HSET',head,'epoch',ms..'-'..f0(call('INCR',counter)))
    call('PEXPIRE',counter,f0(ttl))
  end
  for _,part in ipairs({':events',':head',':keys'}) do call('PEXPIRE',k..part,f0(ttl)) end
  local Z=P..'mems:'..tenant
  call('ZADD',Z,ms,memory)
  call('PEXPIRE',Z,f0(ttl))
  call('ZREMRANGEBYSCORE',Z,'-inf','('..f0(now-ttl))
  local over=call('ZCARD',Z)-num(limits[3])
  if over>0 then
    for _,other in ipairs(call('ZRANGE',Z,0,math.min(over,100)-1)) do
      if other~=memory then
        dropmem(memkey(tenant,other))
        call('ZREM',Z,other)
      end
    end
  end
end
local function remember(tenant,memory,key,job,said,limits)
  local k=memkey(tenant,memory)
  local L,head=k..':events',k..':head'
  if key~='' and call('ZSCORE',k..':keys',key) then return 'known' end
  local h=call('HMGET',head,'first','bytes')
  local first,bytes=num(h[1] or '0'),num(h[2] or '0')
  local n
  for _,one in ipairs(said) do
    local text=cjson.encode({role=one[1],content=one[2],ts=math.floor(now/1000),job=job})
    n=call('RPUSH',L,text)
    bytes=bytes+#text
  end
  n=n or call('LLEN',L)
  -- A tenth more than must go, so that readers who keep what they read need not begin anew each time.
  local entries,size=num(limits[1]),num(limits[2])
  if n>entries or bytes>size then
    while n>1 and (n>entries-math.floor(entries/10) or bytes>size-math.floor(size/10)) do
      bytes=bytes-#(call('LPOP',L))
      n=n-1
      first=first+1
    end
  end
  call('HSET',head,'first',f0(first),'bytes',f0(bytes))
  if key~='' then
    call('ZADD',k..':keys',f0(first+n),key)
    call('ZREMRANGEBYSCORE',k..':keys','-inf',f0(first))
  end
  touch(tenant,memory,k,limits)
  return 'ok'
end
-- Whether the hand-out of a job is the current one; without one anybody may write.
local function holds(job,tenant,fence,attempt)
  if fence=='' then return true end
  local m=record(job,'attempt')
  return m[1] and held(m[1]) and m[2]==tenant and m[3]==fence and m[4]==attempt
end
`;

const memoryScript = (name: string, body: string) => jobScript(name, `${memoryLua}${body}`);

// ARGV[5]: tenant, [6] memory, [7] key, [8] job, [9] fence, [10] attempt, [11-14] limits, [15...] role, content.
export const append = memoryScript(
  'memAppend',
  /* lua */ `
if not holds(ARGV[8],ARGV[5],ARGV[9],ARGV[10]) then return reply('stale') end
local said={}
for i=15,#ARGV,2 do said[#said+1]={ARGV[i],ARGV[i+1]} end
return reply(remember(ARGV[5],ARGV[6],ARGV[7],ARGV[8],said,{unpack(ARGV,11,14)}))`,
);

// ARGV[5]: tenant, [6] job, [7] fence, [8] attempt.
export const holdsNow = memoryScript(
  'memHolds',
  /* lua */ `return reply(holds(ARGV[6],ARGV[5],ARGV[7],ARGV[8]) and 1 or 0)`,
);

// ARGV[5]: tenant, [6] memory, [7] from, [8] how many at most. {epoch, first, all, repository, commit, from, entries...}
export const read = memoryScript(
  'memRead',
  /* lua */ `
local k=memkey(ARGV[5],ARGV[6])
local h=call('HMGET',k..':head','epoch','first','repository','commit')
local first=num(h[2] or '0')
local from=math.max(num(ARGV[7]),first)
local there=call('LRANGE',k..':events',f0(from-first),f0(from-first+num(ARGV[8])-1))
return reply({h[1] or '',f0(first),f0(first+call('LLEN',k..':events')),h[3] or '',h[4] or '',f0(from),there})`,
);

// ARGV[5]: tenant, [6] memory, [7] repository, [8] commit, [9] job, [10] fence, [11] attempt, [12-15] limits.
export const bind = memoryScript(
  'memBind',
  /* lua */ `
if not holds(ARGV[9],ARGV[5],ARGV[10],ARGV[11]) then return reply('stale') end
local k=memkey(ARGV[5],ARGV[6])
call('HSET',k..':head','repository',ARGV[7],'commit',ARGV[8])
touch(ARGV[5],ARGV[6],k,{unpack(ARGV,12,15)})
return reply('ok')`,
);

// ARGV[5]: tenant, [6] memory.
export const forget = memoryScript(
  'memForget',
  /* lua */ `
local n=dropmem(memkey(ARGV[5],ARGV[6]))
return reply(call('ZREM',P..'mems:'..ARGV[5],ARGV[6])+n)`,
);

// ARGV[5]: tenant, [6] how many at most. memory, ms, ...
export const list = memoryScript(
  'memList',
  /* lua */ `return reply(call('ZRANGE',P..'mems:'..ARGV[5],0,num(ARGV[6])-1,'REV','WITHSCORES'))`,
);
