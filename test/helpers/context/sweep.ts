// Many random windows, each held against the oracle, on some threads. A failure names its seed.
import { Worker } from 'node:worker_threads';

export interface SweepRequest {
  readonly first: number;
  readonly count: number;
}

export interface Sweep {
  windows: number;
  refused: number;
  /** Windows that had more to put in than fitted. */
  scarce: number;
  /** Of the scarce ones: less than 97% used. */
  under: number;
  /** Of these: the tokens that were unused, at most. */
  unusedUnder: number;
  /** Of the scarce ones with a limit of at least 400. */
  large: number;
  underLarge: number;
  /** Windows by tenths of a per cent used, from 0 to 1,000; scarce ones alone. */
  used: number[];
  /** Windows by their tokens, in steps of ten. */
  tokens: number[];
}

export const noSweep = (): Sweep => ({
  ...{ windows: 0, refused: 0, scarce: 0, under: 0, unusedUnder: 0, large: 0, underLarge: 0 },
  used: Array.from({ length: 1_001 }, () => 0),
  tokens: Array.from({ length: 1_001 }, () => 0),
});

/** `told`: how many are done, now and then. */
export async function sweep(
  { first, count }: SweepRequest,
  threads: number,
  told: (windows: number) => void = () => {},
): Promise<Sweep> {
  const share = Math.ceil(count / threads);
  const total = noSweep();
  let done = 0;
  const run = (thread: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const from = first + thread * share;
      const workerData: SweepRequest = { first: from, count: Math.max(0, Math.min(share, first + count - from)) };
      const worker = new Worker(new URL('sweep.thread.ts', import.meta.url), { workerData });
      worker.on('message', (part: Sweep) => {
        addTo(total, part);
        done += part.windows;
        told(done);
      });
      worker.on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a thread ended with ${code}`))));
    });
  await Promise.all(Array.from({ length: threads }, (_, thread) => run(thread)));
  return total;
}

function addTo(total: Sweep, part: Sweep): void {
  for (const key of ['windows', 'refused', 'scarce', 'under', 'large', 'underLarge'] as const) total[key] += part[key];
  total.unusedUnder = Math.max(total.unusedUnder, part.unusedUnder);
  for (const key of ['used', 'tokens'] as const)
    part[key].forEach((n, i) => (total[key][i] = (total[key][i] ?? 0) + n));
}

/** The place in a list of numbers by value below which the share of them lies. */
export function quantile(counts: readonly number[], share: number): number {
  const all = counts.reduce((sum, n) => sum + n, 0);
  let below = 0;
  return counts.findIndex((n) => (below += n) > all * share);
}
