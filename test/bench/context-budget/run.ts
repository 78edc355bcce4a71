// `npm run bench -- context-budget`: random windows against an independent tokenizer, and how much of their budgets they use. A window over
// its budget, or anything else that does not hold (test/helpers/context/check.ts), ends the run with the seed that showed it.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { quantile, sweep, type Sweep } from '../../helpers/context/sweep.ts';

const help = `npm run bench -- context-budget [options]
  --windows N  how many, default 20000
  --long       1000000
  --first N    the first seed, default 0
  --threads N  default: one for each core`;

/** Prints the figures. Throws Error with a sentence for a wrong option. */
export async function benchContextBudget(args: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { windows: text, first: text, threads: text, long: flag, help: flag };
  const { values } = parseArgs({ args: [...args], options });
  if (values.help === true) return console.log(help);
  const count = whole('windows', values.windows ?? (values.long === true ? '1000000' : '20000'), 1);
  const first = whole('first', values.first ?? '0', 0);
  const threads = whole('threads', values.threads ?? String(availableParallelism()), 1);
  const started = performance.now();
  let told = 0;
  const total = await sweep({ first, count }, threads, (done) => {
    if (done - told < 50_000) return;
    told = done;
    console.log(`${done} windows, ${seconds(started)} s`);
  });
  console.log(report(total, threads, started));
}

const seconds = (started: number): string => ((performance.now() - started) / 1_000).toFixed(0);

function report(total: Sweep, threads: number, started: number): string {
  const percent = (part: number, all: number): string => ((100 * part) / Math.max(1, all)).toFixed(3);
  const used = [0.001, 0.01, 0.1, 0.5].map((share) => (quantile(total.used, share) / 10).toFixed(1));
  return [
    `${total.windows} windows in ${seconds(started)} s on ${threads} threads: 0 over budget`,
    `refused, because system and user message do not fit: ${total.refused}; median tokens of the others: ${quantile(total.tokens, 0.5) * 10}`,
    `with more material than room: ${total.scarce}; of the budget used (lowest 0.1%, 1%, 10%, half): ${used.join(', ')} %`,
    `below 97%: ${total.under} (${percent(total.under, total.scarce)} %), with at most ${total.unusedUnder} tokens unused; of the ${total.large} with a limit of 400 or more: ${total.underLarge} (${percent(total.underLarge, total.large)} %)`,
  ].join('\n');
}

function whole(name: string, text: string, least: number): number {
  const n = Number(text);
  if (Number.isSafeInteger(n) && n >= least) return n;
  throw new Error(`--${name}: a whole number, ${least} or more`);
}
