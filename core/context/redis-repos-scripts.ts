// What repositories on Redis do, a script each; redis-repos.ts says which keys there are.
//
// Room. Each repository's bytes and the sum of all are kept as numbers. Before anything is written for a commit, room for all of it is made,
// and nothing goes unless that will be enough. In this order: repositories whose time is over; vectors, of repositories that were not used for
// longest first; files that were put and whose commit never came; older commits of the same repository; other repositories, those that were not used for longest first; its latest commit. Files
// that the coming commit names stay through all of it.
import { type Script, script } from '#core/redis/redis.ts';

// KEYS: [1] repo:<tenant>:<h>, a name and no key; [2] repos:<tenant>. ARGV: [1] h, [2] ttl ms, [3] bytes of a tenant, [4] commits,
// [5] repositories, [6] ms since the epoch or 0.
const head = /* lua */ `
local call=redis.call
local K,T,h,ttl,most=KEYS[1],KEYS[2],ARGV[1],tonumber(ARGV[2]),tonumber(ARGV[3])
local now=tonumber(ARGV[6])
if now==0 then local t=call('TIME') now=t[1]*1000+math.floor(t[2]/1000) end
local function f0(n) return string.format('%.0f',n+0) end
local function base(other) return string.sub(K,1,#K-#h)..other end
local sizes,vsizes=T..':bytes',T..':vectors'
local FILES,HEAD,NEW,VECTORS,SPACE=K..':files',K..':head',K..':new',K..':vectors',K..':space'
local function commits(k) return call('ZRANGE',k..':head',0,-1) end
local function touch()
  for _,c in ipairs(commits(K)) do call('PEXPIRE',K..':at:'..c,ttl) call('PEXPIRE',K..':in:'..c,ttl) end
  for _,k in ipairs({FILES,HEAD,NEW,VECTORS,SPACE,T,sizes,vsizes}) do call('PEXPIRE',k,ttl) end
  call('ZADD',T,f0(now),h)
end
-- As touch, for those who read: a write for every window would be too much.
local function use()
  local used=call('ZSCORE',T,h)
  if used and now-tonumber(used)>=math.min(60000,ttl/10) then touch() end
end
`;

const room = /* lua */ `
-- What one call may still take away, so that none is long: a repository counts 1, a commit 16, since its files go one by one.
local left=64
local function total()
  local t=call('HGET',sizes,'total')
  if t then return tonumber(t) end
  local sum=0
  for _,n in ipairs(call('HVALS',sizes)) do sum=sum+tonumber(n) end
  call('HSET',sizes,'total',f0(sum))
  return sum
end
local function addto(other,n)
  total()
  call('HINCRBY',sizes,other,f0(n))
  call('HINCRBY',sizes,'total',f0(n))
end
local function add(n) addto(h,n) end
local function addvectors(n)
  if n==0 then return end
  add(n)
  if call('HINCRBY',vsizes,h,f0(n))<=0 then call('HDEL',vsizes,h) end
end
local function dropvectors(other)
  local n=call('HGET',vsizes,other)
  if n then addto(other,-tonumber(n)) end
  call('HDEL',vsizes,other)
  call('UNLINK',base(other)..':vectors',base(other)..':space')
end
local function drop(other)
  left=left-1
  local k=base(other)
  for _,c in ipairs(commits(k)) do call('UNLINK',k..':at:'..c,k..':in:'..c) end
  dropvectors(other)
  call('UNLINK',k..':files',k..':head',k..':new')
  addto(other,-tonumber(call('HGET',sizes,other) or '0'))
  call('HDEL',sizes,other)
  call('ZREM',T,other)
end
-- Files of a set that no commit names, but for those that the coming one does: these wait for it.
local function forget(set,but,keep)
  local sets={}
  for _,c in ipairs(commits(K)) do if c~=but then sets[#sets+1]=K..':in:'..c end end
  local prints=call('SDIFF',set,unpack(sets))
  call('UNLINK',set)
  local n,v,gone=0,0,{}
  for _,print in ipairs(prints) do
    if keep[print] then call('SADD',NEW,print)
    else n=n+call('HSTRLEN',FILES,print) gone[#gone+1]=print end
  end
  local has=call('EXISTS',VECTORS)==1
  if has then for _,print in ipairs(gone) do v=v+call('HSTRLEN',VECTORS,print) end end
  for i=1,#gone,1000 do
    call('HDEL',FILES,unpack(gone,i,math.min(i+999,#gone)))
    if has then call('HDEL',VECTORS,unpack(gone,i,math.min(i+999,#gone))) end
  end
  call('PEXPIRE',NEW,ttl)
  add(-n)
  addvectors(-v)
end
local function dropcommit(c,keep)
  left=left-16
  forget(K..':in:'..c,c,keep)
  add(-call('STRLEN',K..':at:'..c))
  call('UNLINK',K..':at:'..c)
  call('ZREM',HEAD,c)
end
-- The one that was not used for longest, but for this one.
local function oldest()
  for _,other in ipairs(call('ZRANGE',T,0,1)) do if other~=h then return other end end
end
-- Repositories whose time is over have left nothing but their names.
local function dropexpired()
  for _,other in ipairs(call('ZRANGEBYSCORE',T,'-inf',f0(now-ttl),'LIMIT',0,left)) do drop(other) end
end
-- Vectors go, of those that were not used for longest, until n more bytes have room or there are none.
local function thinout(n)
  if call('HLEN',vsizes)==0 then return end
  for _,other in ipairs(call('ZRANGE',T,0,-1)) do
    if total()+n<=most or left<=0 then return end
    if call('HEXISTS',vsizes,other)==1 then left=left-1 dropvectors(other) end
  end
end
-- Room for n more bytes of a commit that names the files in keep (to their bytes, or true). again: its name, where it may be there already
-- and its index is replaced. Answers 'ok'; 'again': call again, more has to go than one call may take away; 'full': nothing has gone but
-- what no commit names.
local function makeroom(n,keep,again)
  dropexpired()
  local function lacking() return total()+n-(again and call('STRLEN',K..':at:'..again) or 0)>most end
  if lacking() then
    local stays=0
    for print,size in pairs(keep) do stays=stays+(size==true and call('HSTRLEN',FILES,print) or size) end
    if stays+n>most then forget(NEW,nil,{}) return 'full' end
    thinout(n-(again and call('STRLEN',K..':at:'..again) or 0))
    if left<=0 and lacking() then return 'again' end
    if lacking() then forget(NEW,nil,keep) end
    if again and call('ZSCORE',HEAD,again) and lacking() then dropcommit(again,keep) end
    local own=commits(K)
    for i=1,#own-1 do
      if not lacking() then break end
      if left<=0 then return 'again' end
      dropcommit(own[i],keep)
    end
  end
  local function crowded() return call('ZCARD',T)+(call('ZSCORE',T,h) and 0 or 1)>tonumber(ARGV[5]) end
  while crowded() or lacking() do
    local other=oldest()
    if not other then break end
    if left<=0 then return 'again' end
    drop(other)
  end
  if lacking() then for _,c in ipairs(commits(K)) do dropcommit(c,keep) end end
  return 'ok'
end
`;
const repoScript = (name: string, body: string): Script => script(`repo-${name}`, `${head}${body}`);
const putScript = (name: string, body: string): Script => repoScript(name, `${room}${body}`);

// ARGV: [7] commit, '' for the one that was put last. The score grows with each commit that is put, so it is the generation.
export const find = repoScript(
  'find',
  /* lua */ `
local c=ARGV[7]
if c=='' then c=call('ZRANGE',HEAD,-1,-1)[1] end
local put=c and call('ZSCORE',HEAD,c)
if not put or call('EXISTS',K..':at:'..c)==0 then return {} end
use()
return {c,put}`,
);

export const use = repoScript('use', /* lua */ `use() return 'ok'`);

// ARGV: [7...] prints.
export const missing = repoScript(
  'missing',
  /* lua */ `
local out={}
for i=7,#ARGV do if call('HEXISTS',FILES,ARGV[i])==0 then out[#out+1]=ARGV[i] end end
return out`,
);

// ARGV: [7...] prints.
export const files = repoScript('files', /* lua */ `use() return call('HMGET',FILES,unpack(ARGV,7))`);

// Room for files that are to be put, and for what is to come behind them. ARGV: [7] bytes of the index, [8] how many files, then of each print
// and bytes, then the prints of all that the commit names.
export const makeRoom = putScript(
  'make-room',
  /* lua */ `
local n,keep=tonumber(ARGV[7]),{}
local last=8+2*tonumber(ARGV[8])
for i=9,last,2 do
  local size=call('HSTRLEN',FILES,ARGV[i])
  if size==0 then n=n+tonumber(ARGV[i+1]) end
  keep[ARGV[i]]=size
end
for i=last+1,#ARGV do keep[ARGV[i]]=true end
return makeroom(n,keep)`,
);

// ARGV: [7...] print, base64.
export const putFiles = putScript(
  'put-files',
  /* lua */ `
local n,keep=0,{}
for i=7,#ARGV,2 do
  keep[ARGV[i]]=true
  if call('HEXISTS',FILES,ARGV[i])==0 then n=n+#ARGV[i+1] end
end
-- There is room, unless somebody else has taken it since it was made.
if total()+n>most then for _,print in ipairs(call('SMEMBERS',NEW)) do keep[print]=true end end
local answer=makeroom(n,keep)
if answer~='ok' then return answer end
n=0
for i=7,#ARGV,2 do
  if call('HSETNX',FILES,ARGV[i],ARGV[i+1])==1 then n=n+#ARGV[i+1] call('SADD',NEW,ARGV[i]) end
end
add(n)
touch()
return 'ok'`,
);

// ARGV: [7] commit, [8] index, [9] how many prints in all with the last part of them, -1 before, [10...] prints. They are gathered beside
// the commit: one that is put again keeps its own until the new ones are all there.
export const putIndex = putScript(
  'put-index',
  /* lua */ `
local c,all=ARGV[7],tonumber(ARGV[9])
local put=K..':put:'..c
for i=10,#ARGV,1000 do call('SADD',put,unpack(ARGV,i,math.min(i+999,#ARGV))) end
call('PEXPIRE',put,3600000)
if all<0 then return 'more' end
local function giveup(answer) call('UNLINK',put) return answer end
-- Somebody else who puts a commit of that name at the same time makes it another number.
if call('SCARD',put)~=all then return giveup('incomplete') end
local keep={}
for _,print in ipairs(call('SMEMBERS',put)) do
  if call('HEXISTS',FILES,print)==0 then return giveup('incomplete') end
  keep[print]=true
end
local last=tonumber(call('ZRANGE',HEAD,-1,-1,'WITHSCORES')[2] or '0')
local answer=makeroom(#ARGV[8],keep,c)
if answer=='full' then return giveup(answer) end
if answer~='ok' then return answer end
if call('ZSCORE',HEAD,c) then dropcommit(c,keep) end
if all>0 then call('RENAME',put,K..':in:'..c) call('SDIFFSTORE',NEW,NEW,K..':in:'..c) end
call('SET',K..':at:'..c,ARGV[8])
add(#ARGV[8])
call('ZADD',HEAD,f0(math.max(now,last+1)),c)
-- One too many as a rule; where the bound was lowered the others go with the next ones.
local over=math.min(call('ZCARD',HEAD)-tonumber(ARGV[4]),4)
for _,old in ipairs(over>0 and call('ZRANGE',HEAD,0,over-1) or {}) do dropcommit(old,{}) end
touch()
return 'ok'`,
);

export const space = repoScript('space', /* lua */ `return call('GET',SPACE) or ''`);

// ARGV: [7] space, [8...] prints.
export const withoutVectors = repoScript(
  'without-vectors',
  /* lua */ `
local none=call('GET',SPACE)~=ARGV[7]
local out={}
for i=8,#ARGV do if none or call('HEXISTS',VECTORS,ARGV[i])==0 then out[#out+1]=ARGV[i] end end
return out`,
);

// ARGV: [7] space, [8...] prints.
export const vectors = repoScript(
  'vectors',
  /* lua */ `
if call('GET',SPACE)~=ARGV[7] then return {} end
return call('HMGET',VECTORS,unpack(ARGV,8))`,
);

// ARGV: [7] space, [8...] print, base64. Room for vectors is made of other vectors alone.
export const putVectors = putScript(
  'put-vectors',
  /* lua */ `
dropexpired()
if not call('ZSCORE',T,h) then return 'ok' end
if call('GET',SPACE)~=ARGV[7] then dropvectors(h) end
local n=0
for i=8,#ARGV,2 do
  if call('HEXISTS',FILES,ARGV[i])==1 then n=n+#ARGV[i+1]-call('HSTRLEN',VECTORS,ARGV[i]) end
end
local others=0
for _,size in ipairs(call('HVALS',vsizes)) do others=others+tonumber(size) end
others=others-tonumber(call('HGET',vsizes,h) or '0')
if total()-others+n>most then return 'full' end
touch()
thinout(n)
if total()+n>most then return 'again' end
for i=8,#ARGV,2 do
  if call('HEXISTS',FILES,ARGV[i])==1 then call('HSET',VECTORS,ARGV[i],ARGV[i+1]) end
end
addvectors(n)
call('SET',SPACE,ARGV[7])
touch()
return 'ok'`,
);
