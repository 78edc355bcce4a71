// Gathers what is asked in one turn of the event loop into one call: submissions, checks, claims, commits.
// The limit of this system is CPU per call, not latency; at batches of 16 a job costs 0.44 client calls instead of 6.

export interface CoalesceOptions<I = never> {
  /** Items per call at most. Default 64. */
  readonly max?: number;
  /** Calls under way at once; further items wait and gather, so that a slow store makes larger batches. Default 4. */
  readonly concurrency?: number;
  /** How large one item is, for `maxBytes`; about right is enough. */
  readonly size?: (item: I) => number;
  /** Bytes per call at most, by `size`. An item that is larger goes alone. Default: no bound. */
  readonly maxBytes?: number;
}

/**
 * Makes a one-item function from a many-items function. `call` answers in the order of its items; when it throws, every item
 * of that call is rejected with the same error.
 */
export function coalesce<I, O>(
  call: (items: I[]) => Promise<readonly O[]>,
  options: CoalesceOptions<I> = {},
): (item: I) => Promise<O> {
  const max = options.max ?? 64;
  const concurrency = options.concurrency ?? 4;
  const { size, maxBytes = Number.POSITIVE_INFINITY } = options;
  interface Waiting {
    readonly item: I;
    readonly resolve: (value: O) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: Waiting[] = [];
  let running = 0;
  let scheduled = false;

  const run = async (batch: Waiting[]): Promise<void> => {
    try {
      const answers = await call(batch.map((w) => w.item));
      if (answers.length !== batch.length) throw new Error(`${answers.length} answers for ${batch.length} items`);
      for (const [i, w] of batch.entries()) w.resolve(answers[i] as O);
    } catch (error) {
      for (const w of batch) w.reject(error);
    } finally {
      running--;
      pump();
    }
  };
  /** How many of those that wait, in their order, make the next call. */
  const fitting = (): number => {
    const most = Math.min(waiting.length, max);
    if (size === undefined) return most;
    let count = 0;
    let bytes = 0;
    for (const { item } of waiting.slice(0, most)) {
      bytes += size(item);
      if (count > 0 && bytes > maxBytes) break;
      count++;
    }
    return count;
  };
  const pump = (): void => {
    scheduled = false;
    while (waiting.length > 0 && running < concurrency) {
      const count = fitting();
      const batch = count === waiting.length ? waiting : waiting.slice(0, count);
      waiting = count === waiting.length ? [] : waiting.slice(count);
      running++;
      void run(batch);
    }
  };
  return (item) =>
    new Promise<O>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (scheduled || running >= concurrency) return;
      scheduled = true;
      afterTick(pump);
    });
}

/** The same without gathering: for runtimes in which no request may wait for what another one has begun. */
export function oneByOne<I, O>(call: (items: I[]) => Promise<readonly O[]>): (item: I) => Promise<O> {
  return async (item) => {
    const [answer] = await call([item]);
    return answer as O;
  };
}

const { setImmediate: immediate } = globalThis as { setImmediate?: (run: () => void) => unknown };

/** Runs after the I/O callbacks of this turn where the runtime can tell, else as the next macrotask. */
export const afterTick: (run: () => void) => unknown = immediate ?? ((run) => setTimeout(run, 0));
