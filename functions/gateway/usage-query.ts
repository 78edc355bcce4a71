// The query of GET /api/v1/usage, and its answer.
import { z } from 'zod';
import { invalid } from '#core/errors.ts';
import type { UsageRow } from '#core/jobs/store.ts';
import { dayAfter, daysBetween, isDay, mostDays } from '#core/jobs/usage.ts';

/** Days that are shown when nobody says from when. */
const defaultDays = 30;

const day = z.string().refine(isDay, 'is not a day such as 2026-01-31');

export const usageQuery = z.object({
  from: day.optional(),
  to: day.optional(),
  model: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'is not the name of a model')
    .optional(),
});

/**
 * The days that are meant, `today` being the last one. Throws `invalid_argument` naming the field when they are none, or more than one
 * reading answers.
 */
export function usageDays({ from, to }: z.output<typeof usageQuery>, today: string): readonly string[] {
  if (to === undefined && from !== undefined && from > today) throw invalid('from', 'lies in the future');
  const last = to ?? today;
  const first = from ?? dayAfter(last, 1 - defaultDays);
  if (first > last) throw invalid('to', 'lies before from');
  if (first < dayAfter(last, 1 - mostDays)) throw invalid('from', `is more than ${mostDays} days away from to`);
  return daysBetween(first, last);
}

type Sums = Omit<UsageRow, 'date' | 'model'>;

/** The answer: one item for each day and model, and what they are together. */
export function usageJson(days: readonly string[], rows: readonly UsageRow[]) {
  return {
    from: days[0],
    to: days.at(-1),
    items: rows.map((row) => ({ date: row.date, model: row.model, ...sumsJson(row) })),
    totals: sumsJson(rows.reduce(plus, { ...nothing })),
  };
}

const nothing: Sums = { requests: 0, unmetered: 0, unpriced: 0, inputTokens: 0, outputTokens: 0, cost: 0 };

function plus(a: Sums, b: Sums): Sums {
  return {
    requests: a.requests + b.requests,
    unmetered: a.unmetered + b.unmetered,
    unpriced: a.unpriced + b.unpriced,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cost: a.cost + b.cost,
  };
}

function sumsJson(sums: Sums) {
  const priced = sums.requests - sums.unmetered - sums.unpriced;
  return {
    requests: sums.requests,
    unmetered_requests: sums.unmetered,
    unpriced_requests: sums.unpriced,
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    /** US dollars, of the requests whose cost is known; null when it is of none. */
    cost: priced > 0 ? sums.cost / 1e9 : null,
  };
}
