// The artifacts of one attempt: their names, how many and how large they are together. One is stored at a time, so that of two of one
// name the later one stands and is the one that is counted.
import { CortexError, invalid } from '#core/errors.ts';

export interface ArtifactsOptions {
  /** For all of them together. */
  readonly maxBytes: number;
  /** Throws when nothing may be stored any more; asked before waiting and again before storing. */
  readonly check: () => void;
  /** Stores one; answers its pointer. */
  readonly store: (name: string, bytes: Uint8Array) => Promise<string>;
}

const names = /^[a-z0-9-]{1,40}$/;
/** By name; the store lists them in the job's record. */
const maxCount = 32;

/** Answers the function that stores. It throws CortexError: `invalid_argument` for a name, `out_of_range` for what is too much. */
export function createArtifacts(options: ArtifactsOptions): (name: string, bytes: Uint8Array) => Promise<string> {
  const sizes = new Map<string, number>();
  let last: Promise<unknown> = Promise.resolve();

  const tooMuch = (name: string, problem: string): CortexError =>
    new CortexError('out_of_range', `artifact.${name}: ${problem}`, { field: `artifact.${name}` });

  const storeNow = async (name: string, bytes: Uint8Array): Promise<string> => {
    options.check();
    const before = sizes.get(name);
    if (before === undefined && sizes.size >= maxCount)
      throw tooMuch(name, `an attempt stores at most ${maxCount} artifacts`);
    let total = bytes.length - (before ?? 0);
    for (const size of sizes.values()) total += size;
    if (total > options.maxBytes)
      throw tooMuch(name, `${total} bytes of artifacts, at most ${options.maxBytes} are stored for this job`);
    sizes.set(name, Math.max(before ?? 0, bytes.length)); // should no answer come, it may or may not have been stored
    const pointer = await options.store(name, bytes);
    sizes.set(name, bytes.length);
    return pointer;
  };

  return async (name, bytes) => {
    if (!names.test(name)) throw invalid('artifact.name', 'must be 1 to 40 of a-z, 0-9 and "-"');
    options.check();
    const stored = last.then(() => storeNow(name, bytes));
    last = Promise.allSettled([stored]); // who asked hears of its error
    return stored;
  };
}
