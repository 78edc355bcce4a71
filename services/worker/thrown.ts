// Errors across the border of a thread, where classes do not survive.
import { CortexError, type ErrorCode, errorCodes } from '#core/errors.ts';
import type { ThrownData } from './thread-messages.ts';

/** Anything thrown, as data. */
export function packThrown(error: unknown): ThrownData {
  if (error instanceof CortexError) {
    return {
      code: error.code,
      name: error.name,
      message: error.message,
      field: error.field,
      final: error.final,
      stack: undefined,
    };
  }
  if (error instanceof Error) {
    return {
      code: undefined,
      name: error.name,
      message: error.message,
      field: undefined,
      final: false,
      stack: error.stack,
    };
  }
  return { code: undefined, name: 'Error', message: String(error), field: undefined, final: false, stack: undefined };
}

/** The error again: a CortexError if it was one, else an Error with the name, message and stack of the original. */
export function unpackThrown(data: ThrownData): Error {
  const code = errorCodes.find((c): c is ErrorCode => c === data.code);
  if (code !== undefined)
    return new CortexError(code, data.message, {
      final: data.final,
      ...(data.field !== undefined && { field: data.field }),
    });
  const error = new Error(data.message);
  error.name = data.name;
  if (data.stack !== undefined) error.stack = data.stack;
  return error;
}
