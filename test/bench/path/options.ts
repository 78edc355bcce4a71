// The options of `npm run bench -- path`.
import { parseArgs } from 'node:util';

export const doors = ['bus', 'http'] as const;
/** How jobs come in: as packets on the bus, or as HTTP requests. */
export type Door = (typeof doors)[number];

export const modes = ['closed', 'drain'] as const;
/** `closed`: so many outstanding until each result is visible. `drain`: all submitted, until the store shows them done. */
export type Mode = (typeof modes)[number];

export interface PathOptions {
  readonly rounds: number;
  /** Jobs in one phase. */
  readonly jobs: number;
  readonly warmup: number;
  readonly outstanding: number;
  readonly doors: readonly Door[];
  readonly modes: readonly Mode[];
  readonly peer: boolean;
  /** Jobs at once of the peer's worker. */
  readonly peerConcurrency: number;
  readonly appendfsync: 'everysec' | 'always';
  readonly json: boolean;
  readonly profile: boolean;
}

export const help = `npm run bench -- path [options]

  --quick                 2 rounds of 600 jobs: to see that it works, no figures to quote
  --rounds N              default 5
  --jobs N                jobs in one phase, default 4000
  --outstanding N         default 50
  --door bus|http         default both
  --mode closed|drain     default both
  --no-peer               ours alone
  --peer-concurrency N    jobs at once of the peer's worker, default 50
  --appendfsync everysec|always
  --profile               ours alone, one round, with a CPU profile of every process: where the time goes
  --json                  the figures as JSON as well
`;

/** Reads the options. Throws Error with a sentence for what is wrong; undefined when help was asked for. */
export function parsePathOptions(args: readonly string[]): PathOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      jobs: { type: 'string' },
      outstanding: { type: 'string' },
      door: { type: 'string' },
      mode: { type: 'string' },
      peer: { type: 'boolean', default: true },
      'peer-concurrency': { type: 'string' },
      appendfsync: { type: 'string', default: 'everysec' },
      profile: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick, profile, json, appendfsync } = values;
  if (appendfsync !== 'everysec' && appendfsync !== 'always') throw new Error('--appendfsync: everysec or always');
  return {
    rounds: profile ? 1 : count('rounds', values.rounds, quick ? 2 : 5, 50),
    jobs: count('jobs', values.jobs, quick ? 600 : 4_000, 100_000),
    warmup: 500,
    outstanding: count('outstanding', values.outstanding, 50, 1_000),
    doors: chosen('door', values.door, doors),
    modes: chosen('mode', values.mode, modes),
    peer: values.peer && !profile,
    peerConcurrency: count('peer-concurrency', values['peer-concurrency'], 50, 1_000),
    appendfsync,
    json,
    profile,
  };
}

function count(name: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= max) return n;
  throw new Error(`--${name}: a whole number from 1 to ${max}`);
}

function chosen<T extends string>(name: string, text: string | undefined, all: readonly T[]): readonly T[] {
  if (text === undefined) return all;
  const found = all.find((one) => one === text);
  if (found === undefined) throw new Error(`--${name}: one of ${all.join(', ')}`);
  return [found];
}
