// What requests to models took, on Redis.
import { type Arg, int, list, text } from '#core/redis/redis.ts';
import type { Calls } from './redis-calls.ts';
import * as scripts from './scripts/usage.ts';
import type { JobStore } from './store.ts';
import { checkMetered, type UsageRow, usageMs } from './usage.ts';

/** The store's part for usage; `ttlMs`: how long a day's sums are kept. */
export function usageCalls(
  { run, each, byTenant, keys }: Calls,
  ttlMs: number = usageMs,
): Pick<JobStore, 'meter' | 'usage'> {
  return {
    async meter(items) {
      for (const item of items) checkMetered(item);
      await each(
        scripts.meter,
        items,
        byTenant,
        (m, args) => {
          args.push(m.id, m.attempt, m.number, m.tenant, m.model, m.usage === undefined ? 0 : 1);
          args.push(m.usage?.inputTokens ?? 0, m.usage?.outputTokens ?? 0, m.cost ?? '');
        },
        () => undefined,
        [ttlMs],
      );
    },

    async usage(tenant, days) {
      const rows: UsageRow[] = [];
      for (let at = 0; at < days.length; ) {
        const args: Arg[] = [tenant, ...days.slice(at)];
        const answered = list(await run(scripts.usage, keys.ofTenant(tenant), args));
        if (answered.length === 0) break;
        for (const day of answered) rows.push(...rowsOf(days[at++] ?? '', list(day).map(text)));
      }
      return rows;
    },
  };
}

/** Fields and values in turn, as the hash has them; by model. */
function rowsOf(date: string, flat: readonly string[]): UsageRow[] {
  const values = new Map<string, string>();
  const models = new Set<string>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const field = flat[i] ?? '';
    values.set(field, flat[i + 1] ?? '');
    models.add(field.slice(0, field.lastIndexOf(' ')));
  }
  return Array.from(models)
    .toSorted()
    .map((model) => {
      const of = (letter: (typeof scripts.usageLetters)[number]): number =>
        int(values.get(`${model} ${letter}`) ?? '0');
      return {
        ...{ date, model, requests: of('r'), unmetered: of('u'), unpriced: of('p') },
        ...{ inputTokens: of('i'), outputTokens: of('o'), cost: of('c') },
      };
    });
}
