// The one error class of the project and its closed set of codes (Connect's sixteen).
// Edges translate it once: to problem JSON, to a Connect error, to a JobResult. `cause` is for the log, never for the wire.

/** Connect's error codes, by their wire names. https://connectrpc.com/docs/protocol#error-codes */
export const errorCodes = [
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface ErrorDetail {
  /** What lies behind it; logged, never sent. */
  readonly cause?: unknown;
  /** The input field that is wrong, as a path: `labels.team`. */
  readonly field?: string;
  /** Another attempt would end the same way, whatever the code says elsewhere: nothing changes until somebody sets something. */
  readonly final?: boolean;
}

/** An error with a code that tells whose fault it is and whether to try again. */
export class CortexError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly final: boolean;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'CortexError';
    this.code = code;
    this.field = detail.field;
    this.final = detail.final ?? false;
  }
}

/** Turns anything thrown into a CortexError; what is not one already becomes `internal`, or `canceled` for an abort. */
export function toCortexError(error: unknown, fallback: ErrorCode = 'internal'): CortexError {
  if (error instanceof CortexError) return error;
  if (error instanceof Error) {
    if (error.name === 'AbortError')
      return new CortexError('canceled', 'the operation was cancelled', { cause: error });
    if (error.name === 'TimeoutError') {
      return new CortexError('deadline_exceeded', 'the operation timed out', { cause: error });
    }
    return new CortexError(fallback, error.message, { cause: error });
  }
  return new CortexError(fallback, 'an unknown failure', { cause: error });
}

/** Whether the same call may succeed later without a change by the caller. The code decides, unless the error is said to be final. */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof CortexError) || error.final) return false;
  switch (error.code) {
    case 'unavailable':
    case 'resource_exhausted':
    case 'aborted':
    case 'deadline_exceeded':
      return true;
    case 'canceled':
    case 'unknown':
    case 'invalid_argument':
    case 'not_found':
    case 'already_exists':
    case 'permission_denied':
    case 'failed_precondition':
    case 'out_of_range':
    case 'unimplemented':
    case 'internal':
    case 'data_loss':
    case 'unauthenticated':
      return false;
  }
}

/** Bad input: names the field in the message and in `field`. */
export function invalid(field: string, problem: string): CortexError {
  return new CortexError('invalid_argument', `${field}: ${problem}`, { field });
}
