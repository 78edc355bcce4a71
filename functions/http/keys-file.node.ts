// The file of API_KEYS_PATH. It is looked at when somebody asks, at most every quarter of a second; nothing watches it in between.
import { readFileSync, statSync } from 'node:fs';
import { CortexError } from '#core/errors.ts';
import { type ApiKey, parseApiKeys } from '#core/http/api-keys.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';

export interface KeysFileOptions {
  readonly path: string;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
  /** How long one look at the file is good for, ms. Default 250. */
  readonly everyMs?: number;
}

export interface KeysFile {
  /** The keys as they are now: the same array until the file changes. */
  current(): readonly ApiKey[];
  /** Why the file as it is now is not in force, or undefined. */
  fault(): string | undefined;
}

/**
 * Reads the file. Throws CortexError `failed_precondition` with every problem
 * when the file cannot be used at first; one that goes bad later is logged, and the keys of before stay in force.
 */
export function createKeysFile({ path, clock, log, everyMs = 250 }: KeysFileOptions): KeysFile {
  let { stamp, keys } = load(path);
  let looked = clock.monotonic();
  let complaint = '';
  log.info('API keys in force', { path, keys: keys.length });
  const current = (): readonly ApiKey[] => {
    const now = clock.monotonic();
    if (now - looked < everyMs) return keys;
    looked = now;
    try {
      if (stampOf(path) === stamp) {
        complaint = '';
        return keys;
      }
      ({ stamp, keys } = load(path));
      complaint = '';
      log.info('API keys in force', { path, keys: keys.length });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // What fails in the same way at every look is said once.
      if (message !== complaint) log.error('the file of API keys cannot be used; the keys of before stay', { error });
      complaint = message;
    }
    return keys;
  };
  return {
    current,
    fault() {
      current();
      return complaint === '' ? undefined : complaint;
    },
  };
}

function load(path: string): { stamp: string; keys: readonly ApiKey[] } {
  try {
    const stamp = stampOf(path); // taken before the file is read, so that a write in between shows at the next look
    const parsed = parseApiKeys(utf8.decode(readFileSync(path)));
    if (parsed.ok) return { stamp, keys: parsed.value };
    throw new Error(parsed.error.join('; '));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CortexError('failed_precondition', `API_KEYS_PATH: ${path}: ${problem}`, { cause: error });
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** What changes when the file does: another file, another size, another time. */
function stampOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
