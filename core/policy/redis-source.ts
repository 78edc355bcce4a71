// The policy that `cortex config push` put in Redis, for kernels that have no files.
import { createStoredSource } from '#core/config/stored.ts';
import { err, ok } from '#core/result.ts';
import type { Redis } from '#core/redis/redis.ts';
import type { Clock } from '#core/system.ts';
import { parsePolicyText, type PolicySource, unusablePolicy } from './source.ts';

/** The source behind `config:policy`: a change is in force within a second. */
export function createRedisPolicySource(redis: Pick<Redis, 'run'>, clock: Pick<Clock, 'monotonic'>): PolicySource {
  const stored = createStoredSource({ redis, clock, name: 'policy', parse: parsePolicyText });
  return {
    async current() {
      const found = await stored();
      if (!found.ok) {
        const { code, message } = found.error;
        return err(code === 'unavailable' ? found.error : unusablePolicy('Redis', message, found.error));
      }
      if (found.value === undefined)
        return err(unusablePolicy('Redis', 'there is none, nothing was pushed (cortex config push)'));
      return ok({ policy: found.value.value, version: found.value.version });
    },
  };
}
