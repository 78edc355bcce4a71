// The layout record, one key per Redis: over how many partitions the keys there are spread, and by which version of their names. Two
// processes that spread them differently would each look for jobs where the other never puts any.
import { CortexError } from '#core/errors.ts';
import { type Redis, type RedisConnection, script, text } from '#core/redis/redis.ts';
import type { Keys } from './keys.ts';

/** Grows when keys are named or filled in a way that an older process would not understand. */
export const layoutVersion = 1;

// KEYS[1]: layout. ARGV: what this process works with. The first to say so; a Redis that forgot it is told again.
const layoutScript = script(
  'layout',
  /* lua */ `
if redis.call('SET',KEYS[1],ARGV[1],'NX') then return ARGV[1] end
local there=redis.pcall('GET',KEYS[1])
return type(there)=='string' and there or 'something else'`,
);

/** Writes the record if there is none. Throws `failed_precondition` when the Redis is laid out otherwise, else what the driver throws. */
export async function assertLayout(redis: Redis, keys: Keys): Promise<void> {
  const own = `P=${keys.partitions} v=${layoutVersion}`;
  const there = text(await redis.run(layoutScript, [keys.layout], [own]));
  if (there === own) return;
  throw new CortexError(
    'failed_precondition',
    `REDIS_URL: the Redis there is laid out with ${there} (key ${keys.layout}), and this process works with ${own}: it would miss its jobs`,
  );
}

/**
 * As assertLayout, and again whenever the connection is back: the server may have forgotten the record, or be another one. Then
 * `onFault` is told what assertLayout would throw for it.
 */
export async function keepLayout(
  redis: Redis & Pick<RedisConnection, 'onState'>,
  keys: Keys,
  onFault: (error: CortexError) => void,
): Promise<void> {
  await assertLayout(redis, keys);
  redis.onState((state) => {
    if (state !== 'connected') return;
    assertLayout(redis, keys).catch((error: unknown) => {
      // Away again: it is asked when it is back.
      if (error instanceof CortexError && error.code === 'failed_precondition') onFault(error);
    });
  });
}
