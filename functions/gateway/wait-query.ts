// `?wait=30`: how long an answer may take so that it can tell the end of the job.
import { invalid } from '#core/errors.ts';

const maxWaitSeconds = 60;

/** Milliseconds; 0 without the parameter. Throws `invalid_argument` unless it is whole seconds from 0 to 60. */
export function waitMs(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= maxWaitSeconds) return seconds * 1000;
  throw invalid('wait', `must be whole seconds from 0 to ${maxWaitSeconds}`);
}
