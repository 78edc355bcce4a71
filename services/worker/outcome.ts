// What a handler's return or throw means for the job: data in, data out. Storing it is attempt.ts.
import { CortexError, isRetryable, toCortexError } from '#core/errors.ts';
import type { EndState } from '#core/jobs/state.ts';
import type { WorkerDefinition } from './define.ts';

export type Settled = { readonly value: unknown } | { readonly error: unknown };

export interface Outcome {
  readonly status: EndState;
  readonly retryable: boolean;
  /** JSON text. */
  readonly result: string | undefined;
  readonly errorCode: string;
  readonly errorMessage: string;
}

const maxMessage = 500;

/** FAILED by this error. What is not a CortexError is a surprise and worth another attempt; define.ts says why. */
export function failed(error: unknown): Outcome {
  const { code, message } = toCortexError(error);
  return {
    status: 'FAILED',
    retryable: !(error instanceof CortexError) || isRetryable(error),
    result: undefined,
    errorCode: code,
    errorMessage: message.slice(0, maxMessage),
  };
}

/** TIMEOUT after so many ms. */
export function timedOut(ms: number): Outcome {
  return {
    status: 'TIMEOUT',
    retryable: false,
    result: undefined,
    errorCode: 'deadline_exceeded',
    errorMessage: `the handler did not finish within ${Math.round(ms)} ms`,
  };
}

/** The outcome of a handler that came to its end by itself. `maxBytes` bounds the result's JSON text. */
export function outcomeOf(settled: Settled, definition: WorkerDefinition, maxBytes: number): Outcome {
  if ('error' in settled) return failed(settled.error);
  const checked = definition.check(settled.value);
  if (!checked.ok) {
    // The same code makes the same mistake again.
    return failed(
      new CortexError('internal', `the handler's result is wrong: ${checked.error.message}`, { cause: checked.error }),
    );
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(checked.value ?? null);
  } catch (error) {
    return failed(new CortexError('internal', "the handler's result cannot be written as JSON", { cause: error }));
  }
  if (text === undefined) return failed(new CortexError('internal', "the handler's result cannot be written as JSON"));
  const bytes = utf8Length(text, maxBytes);
  if (bytes > maxBytes) {
    return failed(
      new CortexError('out_of_range', `result: is ${bytes} bytes of JSON, at most ${maxBytes} are stored`, {
        field: 'result',
      }),
    );
  }
  return { status: 'SUCCEEDED', retryable: false, result: text, errorCode: '', errorMessage: '' };
}

/** Bytes of a text in UTF-8; counted only when they might exceed the limit (one character is at most three bytes per unit). */
function utf8Length(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).length;
}

/** How long to wait before the next attempt, ms: 1 s after the first, doubled each time, at most a minute. */
export function backoffMs(attempt: number): number {
  return Math.min(60_000, 1000 * 2 ** Math.min(Math.max(attempt, 1) - 1, 6));
}
