// Everything that a redis-server holds, read past the store: what an auditor trusts. For small test databases alone.
import { list, type Redis, type Reply, script, text } from '#core/redis/redis.ts';

export type Entry = {
  readonly key: string /** PEXPIRETIME; -1 for a key without an end. */;
  readonly expiresAt: number;
} & (
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'hash'; readonly value: ReadonlyMap<string, string> }
  | { readonly type: 'zset'; readonly value: ReadonlyMap<string, number> }
  | { readonly type: 'list' | 'set'; readonly value: readonly string[] }
  | { readonly type: 'stream'; readonly value: readonly (readonly [id: string, fields: ReadonlyMap<string, string>])[] }
);

const dumpScript = script(
  'dump',
  /* lua */ `
local read={string={'GET'},hash={'HGETALL'},zset={'ZRANGE',0,-1,'WITHSCORES'},list={'LRANGE',0,-1},set={'SMEMBERS'},stream={'XRANGE','-','+'}}
local out={}
for _,k in ipairs(redis.call('KEYS','*')) do
  local t=redis.call('TYPE',k).ok
  local c=read[t]
  out[#out+1]={k,t,redis.call('PEXPIRETIME',k),redis.call(c[1],k,unpack(c,2))}
end
return out`,
);

/** All keys, sorted; members of sets sorted, those of sorted sets in their order. */
export async function dump(redis: Redis): Promise<readonly Entry[]> {
  const entries = list(await redis.run(dumpScript, [], [])).map((row) => entryOf(list(row)));
  return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function entryOf([key, type, expiresAt, value]: readonly Reply[]): Entry {
  const head = { key: text(key), expiresAt: Number(expiresAt) };
  const kind = text(type);
  switch (kind) {
    case 'string':
      return { ...head, type: kind, value: text(value) };
    case 'hash':
      return { ...head, type: kind, value: pairs(value) };
    case 'zset':
      return {
        ...head,
        type: kind,
        value: new Map(Array.from(pairs(value), ([member, score]) => [member, Number(score)])),
      };
    case 'list':
      return { ...head, type: kind, value: list(value).map(text) };
    case 'set':
      return { ...head, type: kind, value: list(value).map(text).toSorted() };
    case 'stream':
      return {
        ...head,
        type: kind,
        value: list(value).map((row) => [text(list(row)[0]), pairs(list(row)[1])] as const),
      };
    default:
      throw new Error(`a key of type ${kind}`);
  }
}

function pairs(reply: Reply | undefined): Map<string, string> {
  const flat = list(reply);
  const out = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) out.set(text(flat[i]), text(flat[i + 1]));
  return out;
}

/** As one text, equal if and only if nothing changed; `coarse` asks only whether a key has an end, not when. */
export function textOf(entries: readonly Entry[], coarse = false): string {
  const plain = (value: unknown): unknown =>
    value instanceof Map ? Array.from(value).toSorted(([a], [b]) => (a < b ? -1 : 1)) : value;
  return entries
    .map(({ key, type, expiresAt, value }) => {
      const shown = Array.isArray(value)
        ? value.map((v: unknown) => (Array.isArray(v) ? v.map(plain) : v))
        : plain(value);
      return `${key} ${type} ${coarse ? expiresAt >= 0 : expiresAt} ${JSON.stringify(shown)}`;
    })
    .join('\n');
}
