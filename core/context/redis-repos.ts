// Repositories on Redis. Of each one, h being a digest of its name: repo:<tenant>:<h>:at:<commit>, the index; :in:<commit>, a set of the
// files it names; :files, a hash of files as base64; :head, a zset of commits by when they were put; :vectors, a hash of vectors by file, as
// base64, and :space, what these are comparable by. Of a tenant: repos:<tenant>, a zset of repositories by when they were used, and
// repos:<tenant>:bytes, a hash of how many bytes each has, :vectors of these those of vectors.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { fromBase64, toBase64 } from '#core/base64.ts';
import { CortexError } from '#core/errors.ts';
import { createKeys, type Keys } from '#core/jobs/keys.ts';
import { type Arg, type BinaryRedis, list, type Reply, type Script, script, text } from '#core/redis/redis.ts';
import {
  type KeptFile,
  noRoomForVectors,
  type RepoLimits,
  repoLimits,
  type RepoName,
  type Repos,
} from './repo/repos.ts';

// KEYS: [1] repo:<tenant>:<h>, a name and no key; [2] repos:<tenant>. ARGV: [1] h, [2] ttl ms, [3] bytes of a tenant, [4] commits,
// [5] ms since the epoch or 0.
const head = /* lua */ `
local call=redis.call
local K,T,h,ttl,most=KEYS[1],KEYS[2],ARGV[1],ARGV[2],tonumber(ARGV[3])
local now=tonumber(ARGV[5])
if now==0 then local t=call('TIME') now=t[1]*1000+math.floor(t[2]/1000) end
local function f0(n) return string.format('%.0f',n) end
local function base(other) return string.sub(K,1,#K-#h)..other end
local function sizes() return T..':bytes' end
local function add(n) return call('HINCRBY',sizes(),h,f0(n)) end
local function vsizes() return T..':vectors' end
local function addvectors(n)
  if n==0 then return end
  add(n)
  if call('HINCRBY',vsizes(),h,f0(n))<=0 then call('HDEL',vsizes(),h) end
end
local function dropvectors(other)
  local n=call('HGET',vsizes(),other)
  if n then call('HINCRBY',sizes(),other,f0(-tonumber(n))) end
  call('HDEL',vsizes(),other)
  call('UNLINK',base(other)..':vectors',base(other)..':space')
end
local function commits(k) return call('ZRANGE',k..':head',0,-1) end
local function touch()
  for _,c in ipairs(commits(K)) do call('PEXPIRE',K..':at:'..c,ttl) call('PEXPIRE',K..':in:'..c,ttl) end
  for _,k in ipairs({K..':files',K..':head',K..':vectors',K..':space',T,sizes(),vsizes()}) do call('PEXPIRE',k,ttl) end
  call('ZADD',T,f0(now),h)
end
local function drop(other)
  local k=base(other)
  for _,c in ipairs(commits(k)) do call('UNLINK',k..':at:'..c,k..':in:'..c) end
  dropvectors(other)
  call('UNLINK',k..':files',k..':head')
  call('HDEL',sizes(),other)
  call('ZREM',T,other)
end
-- A commit gives way, and files that no other one names.
local function dropcommit(c)
  local sets={}
  for _,other in ipairs(commits(K)) do if other~=c then sets[#sets+1]=K..':in:'..other end end
  for _,print in ipairs(call('SDIFF',K..':in:'..c,unpack(sets))) do
    add(-call('HSTRLEN',K..':files',print))
    call('HDEL',K..':files',print)
    addvectors(-call('HSTRLEN',K..':vectors',print))
    call('HDEL',K..':vectors',print)
  end
  add(-call('STRLEN',K..':at:'..c))
  call('UNLINK',K..':at:'..c,K..':in:'..c)
  call('ZREM',K..':head',c)
end
local function used()
  local sum=0
  for _,n in ipairs(call('HVALS',sizes())) do sum=sum+tonumber(n) end
  return sum
end
-- Repositories whose time is over have left nothing but their names.
local function dropold()
  for _,other in ipairs(call('ZRANGEBYSCORE',T,'-inf',f0(now-tonumber(ttl)))) do if other~=h then drop(other) end end
end
-- Vectors of those that were not used for longest go, until n more bytes have room.
local function thinout(n)
  for _,other in ipairs(call('ZRANGE',T,0,-1)) do
    if used()+n<=most then return end
    if call('HEXISTS',vsizes(),other)==1 then dropvectors(other) end
  end
end
local function makeroom()
  dropold()
  thinout(0)
  while used()>most do
    local oldest
    for _,other in ipairs(call('ZRANGE',T,0,1)) do if other~=h then oldest=other break end end
    if not oldest then return false end
    drop(oldest)
  end
  return true
end
`;
const repoScript = (name: string, body: string): Script => script(`repo-${name}`, `${head}${body}`);

const latestScript = repoScript(
  'latest',
  /* lua */ `
local c=call('ZRANGE',K..':head',-1,-1)[1]
if c then touch() end
return c or ''`,
);
// ARGV: [6...] prints.
const missingScript = repoScript(
  'missing',
  /* lua */ `
local out={}
for i=6,#ARGV do if call('HEXISTS',K..':files',ARGV[i])==0 then out[#out+1]=ARGV[i] end end
return out`,
);
// ARGV: [6...] print, base64.
const filesScript = repoScript(
  'put-files',
  /* lua */ `
for i=6,#ARGV,2 do
  if call('HSETNX',K..':files',ARGV[i],ARGV[i+1])==1 then add(#ARGV[i+1]) end
end
touch()
if makeroom() then return 'ok' end
return 'full'`,
);
// ARGV: [6] commit, [7] index, [8] 1 for the last part of the prints, [9...] prints.
const indexScript = repoScript(
  'put-index',
  /* lua */ `
local c=ARGV[6]
for i=9,#ARGV do if call('HEXISTS',K..':files',ARGV[i])==0 then return 'incomplete' end end
local names=K..':in:'..c
for i=9,#ARGV,1000 do call('SADD',names,unpack(ARGV,i,math.min(i+999,#ARGV))) end
if ARGV[8]=='0' then call('PEXPIRE',names,3600000) return 'more' end
add(#ARGV[7]-call('STRLEN',K..':at:'..c))
call('SET',K..':at:'..c,ARGV[7])
local last=call('ZRANGE',K..':head',-1,-1,'WITHSCORES')[2]
call('ZADD',K..':head',f0(math.max(now,(tonumber(last or '0'))+1)),c)
local over=call('ZCARD',K..':head')-tonumber(ARGV[4])
for _,old in ipairs(over>0 and call('ZRANGE',K..':head',0,over-1) or {}) do dropcommit(old) end
touch()
makeroom()
return 'ok'`,
);
const readScript = repoScript('files', /* lua */ `return call('HMGET',K..':files',unpack(ARGV,6))`);
const spaceScript = repoScript('space', /* lua */ `return call('GET',K..':space') or ''`);
// ARGV: [6] space, [7...] prints.
const withoutVectorsScript = repoScript(
  'without-vectors',
  /* lua */ `
local none=call('GET',K..':space')~=ARGV[6]
local out={}
for i=7,#ARGV do if none or call('HEXISTS',K..':vectors',ARGV[i])==0 then out[#out+1]=ARGV[i] end end
return out`,
);
const vectorsScript = repoScript(
  'vectors',
  /* lua */ `
if call('GET',K..':space')~=ARGV[6] then return {} end
return call('HMGET',K..':vectors',unpack(ARGV,7))`,
);
// ARGV: [6] space, [7...] print, base64.
const putVectorsScript = repoScript(
  'put-vectors',
  /* lua */ `
if call('GET',K..':space')~=ARGV[6] then dropvectors(h) end
local n=0
for i=7,#ARGV,2 do
  if call('HEXISTS',K..':files',ARGV[i])==1 then n=n+#ARGV[i+1]-call('HSTRLEN',K..':vectors',ARGV[i]) end
end
dropold()
local others=0
for _,size in ipairs(call('HVALS',vsizes())) do others=others+tonumber(size) end
others=others-tonumber(call('HGET',vsizes(),h) or '0')
if used()-others+n>most then return 'full' end
touch()
thinout(n)
for i=7,#ARGV,2 do
  if call('HEXISTS',K..':files',ARGV[i])==1 then call('HSET',K..':vectors',ARGV[i],ARGV[i+1]) end
end
addvectors(n)
call('SET',K..':space',ARGV[6])
touch()
return 'ok'`,
);

export interface RedisReposOptions {
  readonly redis: BinaryRedis;
  readonly keys?: Keys;
  readonly limits?: Partial<RepoLimits> | undefined;
  /** For tests: ms since the epoch instead of Redis TIME. */
  readonly now?: () => number;
}

/** Bytes of files in one call, about, and names in one. */
const callBytes = 1_000_000;
const callNames = 5_000;
const fewFiles = 200;
const fewVectors = 50;

/** Throws what the driver throws. */
export function createRedisRepos({ redis, keys = createKeys(1), limits, now }: RedisReposOptions): Repos {
  const { bytes, commits, ttlMs } = { ...repoLimits, ...limits };
  const call = (of: Script, { tenant, repository }: RepoName, args: readonly (Arg | Uint8Array)[] = []) => {
    const { names, h } = namesOf(keys, tenant, repository);
    const all = [h, ttlMs, bytes, commits, now?.() ?? 0, ...args];
    return all.some((one) => one instanceof Uint8Array)
      ? redis.runBytes(of, names, all)
      : redis.run(of, names, all as readonly Arg[]);
  };
  return {
    async latest(name) {
      const commit = text(await call(latestScript, name));
      return commit === '' ? undefined : commit;
    },
    async index(at) {
      const { names } = namesOf(keys, at.tenant, at.repository);
      return (await redis.getBytes(`${names[0]}:at:${at.commit}`)) ?? undefined;
    },
    async missing({ prints, ...name }) {
      const out: string[] = [];
      for (const some of parts(prints, callNames)) out.push(...list(await call(missingScript, name, some)).map(text));
      return out;
    },
    async putFiles({ files, ...name }) {
      for (const some of batches(files)) {
        const args = some.flatMap(({ print, bytes: packed }) => [print, toBase64(packed)]);
        if ((await call(filesScript, name, args)) === 'full') throw noRoom(bytes);
      }
    },
    async putIndex({ commit, blob, prints, ...name }) {
      const all = parts(prints, callNames);
      for (const [i, some] of all.entries()) {
        const isLast = i === all.length - 1;
        const answer = await call(indexScript, name, [commit, isLast ? blob : '', isLast ? 1 : 0, ...some]);
        if (answer === 'incomplete') return 'incomplete';
      }
      return 'ok';
    },
    async files({ prints, ...name }) {
      return found(prints, fewFiles, (some) => call(readScript, name, some));
    },
    async space(name) {
      return text(await call(spaceScript, name)) || undefined;
    },
    async withoutVectors({ space, prints, ...name }) {
      const out: string[] = [];
      for (const some of parts(prints, callNames))
        out.push(...list(await call(withoutVectorsScript, name, [space, ...some])).map(text));
      return out;
    },
    async putVectors({ space, files, ...name }) {
      for (const some of batches(files)) {
        const args = some.flatMap(({ print, bytes: packed }) => [print, toBase64(packed)]);
        if ((await call(putVectorsScript, name, [space, ...args])) === 'full') throw noRoomForVectors(bytes);
      }
    },
    async vectors({ space, prints, ...name }) {
      return found(prints, fewVectors, (some) => call(vectorsScript, name, [space, ...some]));
    },
  };
}

function namesOf(keys: Keys, tenant: string, repository: string): { names: [string, string]; h: string } {
  const prefix = keys.prefix(keys.ofTenant(tenant));
  const h = bytesToHex(sha256(utf8ToBytes(repository)).subarray(0, 16));
  return { names: [`${prefix}repo:${tenant}:${h}`, `${prefix}repos:${tenant}`], h };
}

/** What `read` answers to some prints at a time, those that are there. */
async function found(
  prints: readonly string[],
  few: number,
  read: (some: readonly string[]) => Promise<Reply>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>();
  for (const some of parts(prints, few)) {
    if (some.length === 0) continue;
    for (const [i, packed] of list(await read(some)).entries()) {
      if (typeof packed === 'string') out.set(some[i] ?? '', fromBase64(packed));
    }
  }
  return out;
}

/** At least one, if only an empty one. */
function parts<T>(all: readonly T[], most: number): (readonly T[])[] {
  const out: (readonly T[])[] = [];
  for (let i = 0; i < Math.max(1, all.length); i += most) out.push(all.slice(i, i + most));
  return out;
}

function batches(files: readonly KeptFile[]): KeptFile[][] {
  const out: KeptFile[][] = [];
  let left = 0;
  for (const file of files) {
    if (file.bytes.length > left) {
      out.push([]);
      left = callBytes;
    }
    out.at(-1)?.push(file);
    left -= file.bytes.length;
  }
  return out;
}

function noRoom(bytes: number): CortexError {
  const problem = `repository: its files and indexes are more than the ${bytes} bytes that a tenant has for all repositories`;
  return new CortexError('resource_exhausted', problem, { field: 'repository' });
}
