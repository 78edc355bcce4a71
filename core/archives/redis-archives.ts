// Archives on Redis, through the narrow port, so that it works by REST as well: one hash per archive with its size and its parts as
// base64, and per tenant a zset of what there is, by the time at which it goes away.
import { archiveKey, archivePartBytes, archiveParts } from '#core/protocol/archive-pointer.ts';
import { fromBase64, toBase64 } from '#core/base64.ts';
import type { Keys } from '#core/jobs/keys.ts';
import { int, list, type Redis, type Script, script, text } from '#core/redis/redis.ts';
import { type ArchiveLimits, archiveLimits, type ArchiveName, type Archives } from './archives.ts';
import { badBytes, badPart, noRoom, notBegun } from './problems.ts';

// KEYS: [1] the archive, [2] the tenant's list. ARGV: [1] digest.
const head = /* lua */ `
local call=redis.call
local K,Z,sha=KEYS[1],KEYS[2],ARGV[1]
local t=call('TIME')
local now=t[1]*1000+math.floor(t[2]/1000)
local function f0(n) return string.format('%.0f',n) end
local function parts(size) return math.ceil(tonumber(size)/${archivePartBytes}) end
-- It lives that long from now at least, and is listed as long.
local function live(size,ms)
  local at=now+math.max(tonumber(ms),call('PTTL',K))
  call('PEXPIREAT',K,f0(at))
  call('ZADD',Z,f0(at),sha..' '..size)
  if call('PTTL',Z)<at-now then call('PEXPIREAT',Z,f0(at)) end
  return f0(at)
end
local function drop(size) call('UNLINK',K) call('ZREM',Z,sha..' '..size) end
`;

const archiveScript = (name: string, body: string): Script => script(`archive-${name}`, `${head}${body}`);

// ARGV: [2] size, [3] idle ms, [4] bytes of a tenant, [5] archives of a tenant. {'ok', until, missing...} or {'full', bytes in use, archives}.
const beginScript = archiveScript(
  'begin',
  /* lua */ `
local size=ARGV[2]
local had=call('HGET',K,'size')
call('ZREMRANGEBYSCORE',Z,'-inf',f0(now))
if had~=size then
  local bytes,count=0,0
  for _,member in ipairs(call('ZRANGE',Z,0,-1)) do
    local other,n=string.match(member,'^(%S+) (%d+)$')
    if other~=sha then bytes=bytes+tonumber(n) count=count+1 end
  end
  if bytes+tonumber(size)>tonumber(ARGV[4]) or count>=tonumber(ARGV[5]) then return {'full',f0(bytes),count} end
  if had then drop(had) end
  call('HSET',K,'size',size)
end
local out={'ok',live(size,ARGV[3])}
for i=0,parts(size)-1 do if call('HEXISTS',K,i)==0 then out[#out+1]=i end end
return out`,
);

// ARGV: [2] part, [3] its bytes, [4] base64, [5] idle ms. {'ok', missing}, {'missing'} or {'bytes', those it should have}.
const putScript = archiveScript(
  'put',
  /* lua */ `
local size=call('HGET',K,'size')
if not size then return {'missing'} end
local n,part=parts(size),tonumber(ARGV[2])
if part>=n then return {'part',n} end
local due=part<n-1 and ${archivePartBytes} or tonumber(size)-part*${archivePartBytes}
if tonumber(ARGV[3])~=due then return {'bytes',due} end
call('HSET',K,part,ARGV[4])
live(size,ARGV[5])
return {'ok',n+1-call('HLEN',K)}`,
);

// ARGV: [2] keep ms.
const keepScript = archiveScript(
  'keep',
  /* lua */ `
local size=call('HGET',K,'size')
if not size then return 'missing' end
if call('HLEN',K)-1<parts(size) then return 'incomplete' end
live(size,ARGV[2])
return 'kept'`,
);

// ARGV: [2] part. {size, base64}: one at a time, since Redis does nothing else while it writes them.
const partScript = archiveScript('part', /* lua */ `return {call('HGET',K,'size'),call('HGET',K,ARGV[2])}`);

const dropScript = archiveScript(
  'drop',
  /* lua */ `local size=call('HGET',K,'size') if size then drop(size) end return 1`,
);

export interface RedisArchivesOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly limits?: Partial<ArchiveLimits>;
}

/** The store on Redis. Throws what the driver throws. */
export function createRedisArchives({ redis, keys, limits }: RedisArchivesOptions): Archives {
  const { tenantBytes, tenantArchives, idleMs, keepMs } = { ...archiveLimits, ...limits };
  const run = (of: Script, { tenant, sha256 }: ArchiveName, args: readonly (string | number)[] = []) => {
    const prefix = keys.prefix(keys.ofTenant(tenant));
    const names = [`${prefix}${archiveKey(tenant, sha256)}`, `${prefix}archives:${tenant}`];
    return redis.run(of, names, [sha256, ...args]);
  };

  return {
    async begin(archive) {
      const { bytes } = archive;
      const answer = list(await run(beginScript, archive, [bytes, idleMs, tenantBytes, tenantArchives]));
      if (answer[0] === 'ok') {
        return { parts: archiveParts(bytes), expiresAt: int(answer[1]), missing: answer.slice(2).map(int) };
      }
      throw noRoom(
        { archives: int(answer[2]), bytes: int(answer[1]) },
        { archives: tenantArchives, bytes: tenantBytes },
      );
    },

    async put({ part, bytes, ...archive }) {
      const answer = list(await run(putScript, archive, [part, bytes.length, toBase64(bytes), idleMs]));
      switch (answer[0]) {
        case 'ok':
          return { missing: int(answer[1]) };
        case 'bytes':
          throw badBytes(part, bytes.length, int(answer[1]));
        case 'part':
          throw badPart(int(answer[1]));
        default:
          throw notBegun();
      }
    },

    async keep(archive) {
      const answer = text(await run(keepScript, archive, [keepMs]));
      return answer === 'kept' || answer === 'incomplete' ? answer : 'missing';
    },

    async read(archive, signal) {
      let whole: Uint8Array | undefined;
      for (let part = 0, at = 0; whole === undefined || at < whole.length; part++) {
        signal?.throwIfAborted();
        const [size, content] = list(await run(partScript, archive, [part]));
        if (typeof size !== 'string' || typeof content !== 'string') return undefined;
        const bytes = fromBase64(content);
        whole ??= new Uint8Array(Number(size));
        if (bytes.length === 0 || at + bytes.length > whole.length) return undefined;
        whole.set(bytes, at);
        at += bytes.length;
      }
      return whole;
    },

    async drop(archive) {
      await run(dropScript, archive);
    },
  };
}
