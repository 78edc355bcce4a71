// The artifacts of one attempt: their names, how many and how large they are together. One is stored at a time, so that of two of one
// name the later one stands and is the one that is counted.
import { CortexError, invalid } from '#core/errors.ts';
import { recordingName } from '#core/model/recording.ts';

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

export type StoreArtifact = (name: string, bytes: Uint8Array) => Promise<string>;

export interface Artifacts {
  /** For the handler. Throws CortexError: `invalid_argument` for a name, `out_of_range` for what is too much. */
  readonly store: StoreArtifact;
  /** For the host, after the handler has returned: its own names are free, and the bound on all bytes holds. */
  readonly storeLast: StoreArtifact;
}

/** Nothing is stored yet. */
export function createArtifacts(options: ArtifactsOptions): Artifacts {
  const sizes = new Map<string, number>();
  let last: Promise<unknown> = Promise.resolve();

  const tooMuch = (name: string, problem: string): CortexError =>
    new CortexError('out_of_range', `artifact.${name}: ${problem}`, { field: `artifact.${name}` });

  const storeNow = async (name: string, bytes: Uint8Array, own: boolean): Promise<string> => {
    if (!own) options.check();
    const before = sizes.get(name);
    if (!own && before === undefined && sizes.size >= maxCount)
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

  const inTurn = (name: string, bytes: Uint8Array, own: boolean): Promise<string> => {
    const stored = last.then(() => storeNow(name, bytes, own));
    last = Promise.allSettled([stored]); // who asked hears of its error
    return stored;
  };

  return {
    async store(name, bytes) {
      if (!names.test(name)) throw invalid('artifact.name', 'must be 1 to 40 of a-z, 0-9 and "-"');
      if (name === recordingName) throw invalid('artifact.name', `${recordingName} is the name of the recording`);
      options.check();
      return inTurn(name, bytes, false);
    },
    storeLast: (name, bytes) => inTurn(name, bytes, true),
  };
}
