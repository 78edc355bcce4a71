// What every job store checks and shortens in the same way before it takes a step. Not the rules of the steps: those are in state.ts.
import { CortexError, invalid } from '#core/errors.ts';
import { parseLane } from './lane.ts';
import type { JobState } from './state.ts';
import type { Gate, StopReason } from './store.ts';

/** Text as it is stored in a record: bounded, since a value over 64 bytes makes a record in Redis four times as large. */
export function short(value: string, max = 500): string {
  return value.length <= max ? value : `${value.slice(0, max - 1)}…`;
}

/** REQUIRE_HUMAN is one where the store knows that a person approved the job under that policy. */
const allowing: ReadonlySet<string> = new Set(['ALLOW', 'ALLOW_WITH_CONSTRAINTS', 'REQUIRE_HUMAN']);

/** Nothing runs without a stored allow. Throws `internal`: whoever asks for that is wrong himself. */
export function checkGate({ id, to, policy, decision, redactedKey, lane }: Gate): void {
  if (to !== 'PENDING' && policy === undefined)
    throw new CortexError('internal', `gate of ${id} without a policy version`);
  if (to === 'SCHEDULED' && !allowing.has(decision)) {
    throw new CortexError('internal', `gate of ${id} to SCHEDULED with decision ${decision}`);
  }
  // A worker that speaks the bus alone reads what the packet names.
  if (to === 'SCHEDULED' && redactedKey !== undefined && !parseLane(lane).direct)
    throw new CortexError('internal', `gate of ${id} with a redacted payload for any worker`);
}

/** Throws `invalid_argument` for a name that is not `[a-z0-9-]{1,40}`. */
export function checkArtifactName(name: string): void {
  if (!/^[a-z0-9-]{1,40}$/.test(name)) throw invalid('name', `'${name}' is not [a-z0-9-]{1,40}`);
}

export interface Cursor {
  readonly createdAt: number;
  readonly id: string;
}

const cursorPattern = /^(\d{1,16}):([A-Za-z0-9._-]{1,128})$/;

/** Whether a page may have answered this as its cursor. */
export function isCursor(text: string): boolean {
  return cursorPattern.test(text);
}

/** Where a page goes on; undefined for the first one. Throws `invalid_argument`. */
export function parseCursor(cursor: string | undefined): Cursor | undefined {
  if (cursor === undefined) return undefined;
  const [, score, id] = cursorPattern.exec(cursor) ?? [];
  if (score === undefined || id === undefined) throw invalid('cursor', 'is not one that a page answered');
  return { createdAt: Number(score), id };
}

export function formatCursor({ createdAt, id }: Cursor): string {
  return `${createdAt}:${id}`;
}

/** Throws `invalid_argument` for what is neither empty nor the id of an event. */
export function checkEventId(after: string): void {
  if (after !== '' && !/^\d{1,15}(-\d{1,15})?$/.test(after)) throw invalid('after', 'is not the id of an event');
}

/** Why an attempt must stop whose fence is not the current one, or whose job does not run any more. */
export function stopReason(state: JobState | undefined): StopReason {
  switch (state) {
    case undefined:
      return 'unknown';
    case 'CANCELLED':
      return 'cancelled';
    case 'TIMEOUT':
      return 'timeout';
    case 'DENIED':
      return 'denied';
    case 'SUCCEEDED':
    case 'FAILED':
      return 'ended';
    case 'PENDING':
    case 'AWAITING_APPROVAL':
    case 'SCHEDULED':
    case 'DISPATCHED':
    case 'RUNNING':
      return 'lost';
  }
}
