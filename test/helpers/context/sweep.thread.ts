// One thread of a sweep: builds each window and holds it against the oracle.
import { parentPort as port, workerData } from 'node:worker_threads';
import { loadTokenizer } from '#core/context/load-tokenizer.ts';
import { buildWindow } from '#core/context/window.ts';
import { checkWindow, type Seen } from './check.ts';
import { createOracle } from './oracle.ts';
import { noSweep, type Sweep, type SweepRequest } from './sweep.ts';
import { models, randomWindow } from './windows.ts';

const { first, count } = workerData as SweepRequest;
const oracle = createOracle();
const tokenizers = new Map(await Promise.all(models.map(async (name) => [name, await loadTokenizer(name)] as const)));

let part = noSweep();
for (let seed = first; seed < first + count; seed++) {
  try {
    const given = randomWindow(seed);
    const tokenizer = tokenizers.get(given.model);
    if (tokenizer === undefined) throw new Error(`no tokenizer for ${given.model}`);
    note(part, checkWindow(given, buildWindow(given.input, tokenizer), oracle));
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (part.windows < 1_000 && seed + 1 < first + count) continue;
  port?.postMessage(part);
  part = noSweep();
}

function note(sweep: Sweep, { tokens, limit, refused, scarce }: Seen): void {
  sweep.windows++;
  if (refused) sweep.refused++;
  else sweep.tokens[Math.min(1_000, Math.floor(tokens / 10))]!++;
  if (!scarce) return;
  const under = tokens < limit * 0.97;
  sweep.scarce++;
  sweep.used[Math.floor((1_000 * tokens) / limit)]!++;
  if (limit >= 400) sweep.large++;
  if (!under) return;
  sweep.under++;
  sweep.unusedUnder = Math.max(sweep.unusedUnder, limit - tokens);
  if (limit >= 400) sweep.underLarge++;
}
