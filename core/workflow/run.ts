// The decisions of a run: what a child is called, and what its state means for its step. Data in, data out.
//
// A child's id is made of its parent, its step and its try. Whoever replays the run makes the same ids, finds what has been done
// already, and goes on from there: the store's records are the run's memory, there is no other.
import { CortexError, type ErrorCode, errorCodes, isRetryable } from '#core/errors.ts';
import { isId } from '#core/protocol/ids.ts';
import type { JobView } from '#core/jobs/job.ts';
import { isEnd } from '#core/jobs/state.ts';
import { digestOf } from '#core/jobs/submission.ts';

/** What topics of workflows begin with: only their jobs are sent signals. */
export const workflowPrefix = 'job.workflow.';

/** Workflows of the original, whose names are not those of their topics. */
const nameOfTopic: ReadonlyMap<string, string> = new Map([['job.workflow.demo', 'code_review_demo']]);

/** The name of the workflow of a topic, by which its limits are found: what stands behind the prefix, with `_` for dots and `-`. */
export function workflowName(topic: string): string {
  return nameOfTopic.get(topic) ?? topic.slice(workflowPrefix.length).replaceAll(/[.-]/g, '_');
}

/** Whether text may name a step: it becomes part of ids. */
export function isStepKey(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(text);
}

/** Whether text may name a signal: it stands in addresses. */
export function isSignalName(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text);
}

/** The signal that stops a run: what is under way is dropped, what was done is compensated. */
export const stopSignal = 'stop';

/** The id of one try of a step, counted from 1: `<parent>.<key>.<attempt>`, with the parent's digest where that would be too long. */
export function childId(parentId: string, key: string, attempt: number): string {
  const id = `${parentId}.${key}.${attempt}`;
  return isId(id) ? id : `${digestOf(parentId)}.${key}.${attempt}`;
}

/** What ties a child to its step's input, so that a replay which wants something else is noticed. */
export function inputDigest(payload: string): string {
  return digestOf(payload);
}

export interface Tries {
  /** This one, from 1. */
  readonly attempt: number;
  /** After the first. */
  readonly maxRetries: number;
  /** Before the second, ms. */
  readonly pauseMs?: number | undefined;
}

export type Next =
  | { readonly next: 'wait' }
  | { readonly next: 'done' }
  /** Another try, after a pause. */
  | { readonly next: 'retry'; readonly attempt: number; readonly pauseMs: number }
  | { readonly next: 'fail'; readonly error: CortexError };

type Child = Pick<JobView, 'state' | 'errorCode' | 'errorMessage' | 'final' | 'safetyReason'>;

/** The pause before the second try of a step, ms, and the longest of those that follow: each is twice as long as the one before. */
export const retryPauseMs = { first: 1000, most: 60_000 };

/** What follows from the state of a step's child. */
export function nextOf(key: string, child: Child, { attempt, maxRetries, pauseMs }: Tries): Next {
  if (!isEnd(child.state)) return { next: 'wait' };
  if (child.state === 'SUCCEEDED') return { next: 'done' };
  const again = attempt <= maxRetries && mayRetry(child);
  if (again) return { next: 'retry', attempt: attempt + 1, pauseMs: pauseBefore(attempt + 1, pauseMs) };
  return { next: 'fail', error: stepError(key, codeOf(child), reasonOf(child)) };
}

/** The pause before a try, from the second on, ms. */
export function pauseBefore(attempt: number, first = retryPauseMs.first): number {
  return Math.max(1000, Math.min(first * 2 ** (attempt - 2), Math.max(first, retryPauseMs.most)));
}

/** The error of a step, as the parent tells it. */
export function stepError(key: string, code: ErrorCode, problem: string, cause?: unknown): CortexError {
  return new CortexError(code, `${key} failed: ${problem}`, cause === undefined ? {} : { cause });
}

/**
 * Whether another child may fare better. Denied and cancelled is somebody's will. What its worker called final stays so, as does a
 * failure with a code that is the caller's fault; a surprise, a code of somebody else's worker, and a time-out may pass.
 */
function mayRetry(child: Child): boolean {
  if (child.state === 'TIMEOUT') return true;
  if (child.state !== 'FAILED' || child.final || child.errorCode === 'no_pool') return false;
  const code = knownCode(child.errorCode);
  return code === undefined || mayPass(code);
}

/** Whether what failed like this may fare better another time: not what is the caller's fault. */
export function mayPass(code: ErrorCode): boolean {
  return code === 'internal' || code === 'unknown' || isRetryable(new CortexError(code, ''));
}

function codeOf(child: Child): ErrorCode {
  switch (child.state) {
    case 'DENIED':
      return 'permission_denied';
    case 'CANCELLED':
      return 'canceled';
    case 'TIMEOUT':
      return 'deadline_exceeded';
    default:
      return knownCode(child.errorCode) ?? 'internal';
  }
}

function knownCode(text: string): ErrorCode | undefined {
  return errorCodes.find((code) => code === text);
}

function reasonOf({ state, errorMessage, errorCode, safetyReason }: Child): string {
  const detail = [errorMessage, state === 'DENIED' ? safetyReason : '', errorCode].find((text) => text !== '') ?? '';
  switch (state) {
    case 'DENIED':
      return detail === '' ? 'the policy denied it' : `the policy denied it: ${detail}`;
    case 'CANCELLED':
      return 'it was cancelled';
    case 'TIMEOUT':
      return detail === '' ? 'it took too long' : `it took too long: ${detail}`;
    default:
      if (errorCode === 'no_pool') return detail === 'no_pool' ? 'no pool serves its topic' : detail;
      return detail === '' ? 'its worker gave no reason' : detail;
  }
}
