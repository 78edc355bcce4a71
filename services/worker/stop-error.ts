// Why a handler was told to stop, as the error that its signal carries.
import { CortexError, type ErrorCode } from '#core/errors.ts';
import type { AbortCause } from './events.ts';

const reasons: Readonly<Record<AbortCause, readonly [ErrorCode, string]>> = {
  cancelled: ['canceled', 'the job was cancelled'],
  denied: ['canceled', 'the job was denied'],
  ended: ['canceled', 'the job has ended'],
  unknown: ['canceled', 'there is no such job any more'],
  timeout: ['deadline_exceeded', 'the job has timed out'],
  deadline: ['deadline_exceeded', "the attempt's time is over"],
  lost: ['aborted', 'the job was handed to somebody else'],
  lease: ['aborted', 'the lease could not be renewed in time'],
  replaced: ['aborted', "another process has taken over this worker's id"],
  shutdown: ['aborted', 'the worker is shutting down'],
};

/** The reason of the signal. */
export function stopError(cause: AbortCause): CortexError {
  const [code, message] = reasons[cause];
  return new CortexError(code, message);
}
