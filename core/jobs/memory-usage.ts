// The twin's sums of what requests to models took.
import { type Memory, stored } from './memory-state.ts';
import { dayOf, type Metered, meteredMs, mostModels, mostSum, otherModels, type UsageRow } from './usage.ts';

export function meterRequest(memory: Memory, item: Metered): void {
  const now = memory.options.now();
  const name = `${item.id}:${item.attempt}`;
  const seen = stored(memory.metered, name, now) ?? new Set<number>();
  if (seen.has(item.number)) return;
  seen.add(item.number);
  memory.metered.set(name, { value: seen, expiresAt: now + meteredMs });

  const date = dayOf(now);
  const key = `usage:${item.tenant}:${date}`;
  const day = stored(memory.usage, key, now) ?? new Map<string, UsageRow>();
  if (day.size === 0) memory.usage.set(key, { value: day, expiresAt: now + memory.options.usageTtlMs });
  const model = day.has(item.model) || day.size < mostModels ? item.model : otherModels;
  const { usage, cost } = item;
  const sum = day.get(model);
  day.set(model, {
    ...{ date, model, requests: (sum?.requests ?? 0) + 1 },
    unmetered: (sum?.unmetered ?? 0) + (usage === undefined ? 1 : 0),
    unpriced: (sum?.unpriced ?? 0) + (usage !== undefined && cost === undefined ? 1 : 0),
    inputTokens: plus(sum?.inputTokens, usage?.inputTokens),
    outputTokens: plus(sum?.outputTokens, usage?.outputTokens),
    cost: plus(sum?.cost, cost),
  });
}

const plus = (sum = 0, more = 0): number => Math.min(sum + more, mostSum);

export function readUsage(memory: Memory, tenant: string, days: readonly string[]): readonly UsageRow[] {
  const now = memory.options.now();
  return days.flatMap((date) =>
    Array.from(stored(memory.usage, `usage:${tenant}:${date}`, now)?.values() ?? []).toSorted((a, b) =>
      a.model < b.model ? -1 : 1,
    ),
  );
}
