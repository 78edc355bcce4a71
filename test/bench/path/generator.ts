// The load generator, from the outside: starts its process, gives orders, times them out.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { forgetChild, noteChild } from '../../helpers/children.ts';
import type { Target } from './clients/client.ts';

export interface Order {
  readonly do: 'closed' | 'drain' | 'verify' | 'close';
  readonly jobs: number;
  readonly outstanding: number;
  readonly timeoutMs: number;
}

export interface Phase {
  /** From the first submission to the last result, by the generator's clock. */
  readonly ms: number;
  /** Submission to visible result of each job, ms; none in drain mode. */
  readonly latencies: readonly number[];
}

/** Empty for what answers nothing, the first message included. */
export interface Reply {
  readonly phase?: Phase;
  readonly error?: string;
}

export interface Generator {
  readonly pid: number;
  /** Runs a phase. Rejects with what went wrong, or when it takes too long. */
  run(mode: 'closed' | 'drain', jobs: number, outstanding: number): Promise<Phase>;
  /** Asks the store about every job of the last phase. */
  verify(): Promise<void>;
  /** Disconnects its client and ends the process. */
  stop(): Promise<void>;
}

/** A phase may take this long, ms: twenty times what the slowest system here needs, and a start. */
const phaseMs = (jobs: number): number => 20_000 + jobs * 20;

export async function startGenerator(target: Target): Promise<Generator> {
  const child = fork(fileURLToPath(new URL('generator-process.ts', import.meta.url)), {
    env: { PATH: process.env['PATH'], BENCH_TARGET: JSON.stringify(target) },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const pid = child.pid as number;
  noteChild('load generator', pid);
  const exited = once(child, 'close').then(() => forgetChild(pid));
  const answer = async (ms: number, what: string): Promise<Reply> => {
    const late = AbortSignal.timeout(ms);
    const reply = await Promise.race([
      once(child, 'message', { signal: late }).then(([message]: unknown[]) => message as Reply),
      exited.then((): Reply => ({ error: 'the load generator ended' })),
    ]).catch((error: unknown): Reply => {
      if (late.aborted) return { error: `not over after ${ms} ms` };
      throw error;
    });
    if (reply.error === undefined) return reply;
    throw new Error(`${target.system} by ${target.door}, ${what}: ${reply.error}`);
  };
  const order = (what: Order['do'], jobs = 0, outstanding = 0): Promise<Reply> => {
    const timeoutMs = phaseMs(jobs);
    const reply = answer(timeoutMs, what);
    child.send({ do: what, jobs, outstanding, timeoutMs } satisfies Order);
    return reply;
  };
  const stop = async (): Promise<void> => {
    try {
      if (child.connected) await order('close');
    } finally {
      child.kill('SIGKILL'); // it has nothing left to say
      await exited;
    }
  };
  try {
    await answer(20_000, 'connect');
  } catch (error) {
    child.kill('SIGKILL');
    await exited;
    throw error;
  }
  return {
    pid,
    async run(mode, jobs, outstanding) {
      const { phase } = await order(mode, jobs, outstanding);
      if (phase === undefined) throw new Error('a phase without figures');
      return phase;
    },
    verify: async () => void (await order('verify')),
    stop,
  };
}
