// The text that attempts give out, on Redis.
import { int, list, text } from '#core/redis/redis.ts';
import { type OutputAnswer, outputAnswers } from './output.ts';
import type { Calls } from './redis-calls.ts';
import * as scripts from './scripts/output.ts';
import type { JobStore } from './store.ts';

/** The two operations about it. */
export function outputs({ run, each, keys, byTenant }: Calls): Pick<JobStore, 'output' | 'readOutput'> {
  return {
    output: (items) =>
      each(
        scripts.output,
        items,
        byTenant,
        (o, args) => args.push(o.id, o.fence, o.attempt, o.at, o.text),
        (reply): OutputAnswer => outputAnswers.find((answer) => answer === reply) ?? 'missing',
      ),

    async readOutput({ id, tenant, fence, at }) {
      const reply = await run(scripts.readOutput, keys.ofTenant(tenant), [id, tenant, fence, at]);
      if (reply === null) return undefined;
      const row = list(reply);
      return {
        fence: text(row[0]),
        attempt: int(row[1]),
        at: int(row[2]),
        text: text(row[3]),
        next: int(row[4]),
        more: row[5] === 1,
      };
    },
  };
}
