// What a memory may be called: anything that stands on a line.
import { type CortexError, invalid } from '#core/errors.ts';

const mostCharacters = 512;

/** What is wrong with the name, as an error of that field; undefined: nothing. Empty means none, and is not wrong. */
export function memoryNameProblem(memory: string, field: string): CortexError | undefined {
  if (memory.length > mostCharacters) return invalid(field, `is longer than ${mostCharacters} characters`);
  if (/\p{Cc}/u.test(memory)) return invalid(field, 'has control characters');
  return memory.isWellFormed() ? undefined : invalid(field, 'is not well formed');
}
