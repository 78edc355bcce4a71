// How a run that has failed is undone, and what it says then. Part of the machine.
import { CortexError, toCortexError } from '#core/errors.ts';
import type { Effect } from './effects.ts';

/** The last first; one that fails does not keep the others. Gives what went wrong. */
export function* undoAll(
  undos: readonly (() => Generator<Effect, unknown, unknown>)[],
): Generator<Effect, string[], unknown> {
  const left: string[] = [];
  for (const undo of undos) {
    try {
      yield* undo();
    } catch (error) {
      left.push(toCortexError(error).message);
    }
  }
  return left;
}

/** The failure, and what of its undoing failed as well. */
export function withUndone(failure: unknown, left: readonly string[]): unknown {
  if (left.length === 0) return failure;
  const error = toCortexError(failure);
  return new CortexError(error.code, `${error.message}; not undone: ${left.join('; ')}`, { cause: failure });
}
