// How the generator looks at our store: whether jobs are done, and whether they really succeeded.
import type { Redis } from '#core/redis/redis.ts';
import { int, list, script, text } from '#core/redis/redis.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { lookMs } from './client.ts';

const exist = script('exist', `return redis.call('EXISTS',unpack(KEYS))`);
const states = script(
  'states',
  `local out={} for i,k in ipairs(KEYS) do out[i]=redis.call('HGET',k,'state') or '' end return out`,
);

/** Jobs looked at in one call. */
const chunk = 256;

/** Resolves when every job has a committed result. Looks at the oldest open ones alone, so that looking stays cheap. */
export async function resultsAreThere(redis: Redis, ids: readonly string[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < ids.length; ) {
    signal.throwIfAborted();
    const keys = ids.slice(at, at + chunk).map((id) => `res:${id}`);
    if (int(await redis.run(exist, keys, [])) === keys.length) at += keys.length;
    else await delay(lookMs, undefined, { signal });
  }
}

/** Throws unless all of them are SUCCEEDED. */
export async function succeeded(redis: Redis, ids: readonly string[]): Promise<void> {
  if (new Set(ids).size !== ids.length) throw new Error('an id was given twice');
  for (let at = 0; at < ids.length; at += chunk) {
    const part = ids.slice(at, at + chunk);
    const found = list(
      await redis.run(
        states,
        part.map((id) => `job:meta:${id}`),
        [],
      ),
    );
    for (const [i, id] of part.entries()) {
      if (text(found[i]) !== 'SUCCEEDED') throw new Error(`${id} is ${text(found[i])}`);
    }
  }
}
