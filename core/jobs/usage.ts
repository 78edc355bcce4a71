// What requests to models took, as the store keeps it: sums per tenant, day (UTC) and model. Money is whole billionths of a dollar, so that
// sums are exact. Pure: types, and the rules that both stores share.
import { CortexError } from '#core/errors.ts';
import type { JobKey } from './store.ts';

/** One request to a model that is over. However often it is told, it counts once: attempt and number are its name. */
export interface Metered extends JobKey {
  /** The random part of the hand-out's fence. The fence itself plays no part: what a void attempt asked was paid for too. */
  readonly attempt: string;
  /** Counts the requests of the attempt from 1; at most `mostRequests`. */
  readonly number: number;
  /** As the configuration names it. */
  readonly model: string;
  /** undefined: the request went out, and nobody told what it took. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | undefined;
  /** Billionths of a US dollar; undefined: the model has no price, or the tokens are unknown. */
  readonly cost: number | undefined;
}

/** What a tenant asked of one model on one day. */
export interface UsageRow {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** `otherModels` gathers those beyond the first `mostModels` of the day. */
  readonly model: string;
  readonly requests: number;
  /** Of these: nobody told what they took. */
  readonly unmetered: number;
  /** Of these: tokens are known, a price is not. */
  readonly unpriced: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Billionths of a US dollar, of the requests whose cost is known. */
  readonly cost: number;
}

/** Requests that one attempt can have counted. */
export const mostRequests = 65_535;

/** Models of a tenant's day that are told apart. */
export const mostModels = 200;
export const otherModels = 'other';

/** Where a sum stops: beyond it numbers are not exact, and further on Redis adds no more. */
export const mostSum = Number.MAX_SAFE_INTEGER;

/** Days that a client reads at once. */
export const mostDays = 400;

/** How long a request is known to have been counted, ms: longer than anybody repeats himself. */
export const meteredMs = 3_600_000;

/** How long sums are kept by default, ms: 400 days. */
export const usageMs = 400 * 24 * 3_600_000;

const modelName = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const amount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** Throws `internal`: whoever tells what cannot be is wrong himself. */
export function checkMetered({ id, number, model, usage, cost }: Metered): void {
  const wrong =
    (!amount(number) || number < 1 || number > mostRequests ? 'number' : undefined) ??
    (modelName.test(model) ? undefined : 'model') ??
    (usage !== undefined && !(amount(usage.inputTokens) && amount(usage.outputTokens)) ? 'usage' : undefined) ??
    (cost !== undefined && (!amount(cost) || usage === undefined) ? 'cost' : undefined);
  if (wrong !== undefined) throw new CortexError('internal', `a request to a model of ${id}: ${wrong} cannot be`);
}

const aDay = 86_400_000;

/** The day of a time, YYYY-MM-DD in UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Whether a text is a day that there is. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && dayOf(ms) === text;
}

/** The day that lies so many days after a day, or before it. */
export function dayAfter(day: string, days: number): string {
  return dayOf(Date.parse(`${day}T00:00:00Z`) + days * aDay);
}

/** The days from one to another, both included. */
export function daysBetween(from: string, to: string): readonly string[] {
  const n = Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / aDay) + 1;
  return Array.from({ length: n }, (_, i) => dayAfter(from, i));
}
