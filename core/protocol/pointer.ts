// Pointers: how a packet names a payload without carrying it. `redis://` and a raw key, no host and no database.
// Whether the caller may read that key is not decided here.
import { invalid } from '#core/errors.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';

const scheme = 'redis://';

/** The pointer to a key: `ctx:1` becomes `redis://ctx:1`. Throws invalid_argument when the key is empty. */
export function formatPointer(key: string): string {
  if (key === '') throw invalid('key', 'is empty');
  return scheme + key;
}

/**
 * The key behind a pointer. `redis://ctx/<id>` and `redis://res/<id>`, as CAP's examples write them, are read as
 * `ctx:<id>` and `res:<id>`; every other key is taken as it stands. `field` names the pointer in the error.
 */
export function parsePointer(text: string, field = 'pointer'): Result<string> {
  if (text === '') return err(invalid(field, 'is empty'));
  if (!text.startsWith(scheme)) return err(invalid(field, `does not begin with ${scheme}`));
  const key = text.slice(scheme.length);
  if (key === '') return err(invalid(field, `names no key after ${scheme}`));
  const slashed = key.startsWith('ctx/') || key.startsWith('res/');
  if (slashed && key.length === 4) return err(invalid(field, 'names no id after the slash'));
  return ok(slashed ? `${key.slice(0, 3)}:${key.slice(4)}` : key);
}
