// `npm run bench -- workflow`: what a workflow costs over the same jobs without one. A run of three steps that do nothing beside a client
// that submits the same three jobs one after the other, turn about; and a fan-out, beside a client that keeps as many jobs outstanding.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { watchCpu } from '../path/cpu.ts';
import { quantile, spread } from '../path/stats.ts';
import { type Plane, startPlane } from '../plane.ts';

const help = `npm run bench -- workflow [options]
  --rounds N   default 5
  --runs N     runs of three steps in a round, default 100
  --steps N    steps of the fan-out, default 1000
  --limit N    of them at a time, default 64`;

/** Prints a table. Throws Error with a sentence for a wrong option. */
export async function benchWorkflow(args: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const options = { rounds: text, runs: text, steps: text, limit: text, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help === true) return console.log(help);
  const rounds = whole('rounds', values.rounds ?? '5', 50);
  const runs = whole('runs', values.runs ?? '100', 10_000);
  const [steps, limit] = [whole('steps', values.steps ?? '1000', 20_000), whole('limit', values.limit ?? '64', 1000)];
  const folder = mkdtempSync(join(tmpdir(), 'cortex-bench-'));
  const pools = join(folder, 'pools.yaml');
  writeFileSync(
    pools,
    'topics: {job.echo: echo, job.workflow.bench_three: workflow, job.workflow.bench_many: workflow}\n',
  );
  const plane = await startPlane({ workflows: { path: 'test/bench/workflow/workflows.ts', pools } });
  try {
    await threes(plane, 30);
    await chains(plane, 30);
    await many(plane, 200, limit);
    const figures: Record<string, Figures>[] = [];
    for (let round = 0; round < rounds; round++) {
      const workflow = await measured(plane, () => threes(plane, runs));
      const chain = await measured(plane, () => chains(plane, runs));
      const fan = await measured(plane, () => many(plane, steps, limit));
      const crowd = await measured(plane, () => apart(plane, steps, limit));
      figures.push({ workflow, chain, fan, crowd });
    }
    const of = (name: string, pick: (one: Figures) => number) => {
      const { median, min, max } = spread(figures.map((one) => pick(one[name] as Figures)));
      return `${median.toFixed(1)} (${min.toFixed(1)} to ${max.toFixed(1)})`;
    };
    const cost = (name: string, jobs: number) => of(name, ({ micros }) => micros / jobs);
    console.log(`three steps, one run at a time, ${rounds} rounds of ${runs}; median (range) of rounds`);
    console.log(
      `  workflow     p50 ${of('workflow', ({ ms }) => quantile(ms, 0.5))} ms, p99 ${of('workflow', ({ ms }) => quantile(ms, 0.99))} ms, ${cost('workflow', runs * 3)} us CPU a step`,
    );
    console.log(
      `  client chain p50 ${of('chain', ({ ms }) => quantile(ms, 0.5))} ms, p99 ${of('chain', ({ ms }) => quantile(ms, 0.99))} ms, ${cost('chain', runs * 3)} us CPU a job`,
    );
    console.log(`fan-out of ${steps} steps, ${limit} at a time`);
    console.log(`  workflow     ${of('fan', ({ ms }) => ms[0] ?? 0)} ms, ${cost('fan', steps)} us CPU a step`);
    console.log(`  client       ${of('crowd', ({ ms }) => ms[0] ?? 0)} ms, ${cost('crowd', steps)} us CPU a job`);
  } finally {
    await plane.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Figures {
  readonly ms: readonly number[];
  /** Of all processes of the plane, its servers too; the client's is not in it. */
  readonly micros: number;
}

async function measured({ redis, nats, roles }: Plane, work: () => Promise<readonly number[]>): Promise<Figures> {
  const pids = {
    redis: redis.pid,
    nats: nats.pid,
    ...Object.fromEntries(Object.entries(roles).map(([role, { pid }]) => [role, pid])),
  };
  const over = watchCpu(pids);
  const ms = await work();
  return { ms, micros: Object.values(over()).reduce((sum, one) => sum + one, 0) };
}

async function job({ httpUrl }: Plane, topic: string, context: unknown): Promise<void> {
  const body = JSON.stringify({ topic, context });
  const response = await fetch(`${httpUrl}/api/v1/jobs?wait=60`, {
    method: 'POST',
    body,
    signal: AbortSignal.timeout(90_000),
  });
  const { state, error_message: why } = (await response.json()) as { state?: string; error_message?: string };
  if (state !== 'SUCCEEDED') throw new Error(`${topic} came to ${state ?? response.status}: ${why ?? ''}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function threes(plane: Plane, runs: number): Promise<readonly number[]> {
  const out: number[] = [];
  for (let i = 0; i < runs; i++) out.push(await timed(() => job(plane, 'job.workflow.bench_three', {})));
  return out;
}

async function chains(plane: Plane, runs: number): Promise<readonly number[]> {
  const out: number[] = [];
  for (let i = 0; i < runs; i++) {
    out.push(
      await timed(async () => {
        for (let n = 1; n <= 3; n++) await job(plane, 'job.echo', { n });
      }),
    );
  }
  return out;
}

async function many(plane: Plane, steps: number, limit: number): Promise<readonly number[]> {
  return [await timed(() => job(plane, 'job.workflow.bench_many', { steps, limit }))];
}

/** The same jobs by a client, as many outstanding. */
async function apart(plane: Plane, steps: number, limit: number): Promise<readonly number[]> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next++ < steps) await job(plane, 'job.echo', { n: next });
  };
  return [await timed(async () => void (await Promise.all(Array.from({ length: limit }, lane))))];
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`--${name} is a whole number from 1 to ${most}`);
}
