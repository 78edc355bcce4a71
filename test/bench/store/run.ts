// `npm run bench -- store`: what the job store alone costs, by how many jobs go through one call. One client takes each job through its
// six steps on a redis-server of its own; nobody else works, so the CPU of both is the store's.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { systemIds } from '#core/system.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { startRedis } from '../../helpers/servers.ts';
import { watchCpu } from '../path/cpu.ts';
import { watchScripts } from '../path/script-time.ts';

const help = `npm run bench -- store [options]
  --jobs N     jobs of each line, default 6000
  --batch N    jobs in one call; default: 1, 4, 20 and 64 in turn`;

const policy = { sequence: 1, hash: 'a-policy' };
const payload = JSON.stringify({ prompt: 'a prompt of about the length that a person types into a box' });

/** Prints a table. Throws Error with a sentence for a wrong option. */
export async function benchStore(args: readonly string[]): Promise<void> {
  const options = { jobs: { type: 'string' }, batch: { type: 'string' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help === true) return console.log(help);
  const jobs = whole('jobs', values.jobs ?? '6000');
  const batches = values.batch === undefined ? [1, 4, 20, 64] : [whole('batch', values.batch)];
  console.log('jobs/call  redis us/job  client us/job  us in a script, by step');
  for (const batch of batches) console.log(await measure(batch, jobs));
}

async function measure(batch: number, jobs: number): Promise<string> {
  const server = await startRedis({ appendonly: true, appendfsync: 'everysec' });
  const redis = await connectRedis({ url: server.url, name: 'bench', onError: (error) => console.error(error) });
  try {
    const random = (): string => randomBytes(8).toString('hex');
    const store = createRedisStore({ redis, keys: createKeys(), random });
    await store.register({ worker: 'w', instance: 'i', pool: 'echo', capacity: batch, aliveMs: 3_600_000 });
    await walk(store, batch, 2_000);
    const over = await watchScripts(server.url);
    const cpu = watchCpu({ redis: server.pid, client: process.pid });
    await walk(store, batch, jobs);
    const { redis: theirs = 0, client = 0 } = cpu();
    const times = (await over())
      .filter(({ micros }) => micros >= jobs)
      .map(({ name, micros }) => `${name} ${(micros / jobs).toFixed(0)}`);
    const us = (total: number): string => (total / jobs).toFixed(0);
    return `${String(batch).padStart(9)}  ${us(theirs).padStart(12)}  ${us(client).padStart(13)}  ${times.join(', ')}`;
  } finally {
    await redis.close();
    await server.stop();
  }
}

async function walk(store: JobStore, batch: number, jobs: number): Promise<void> {
  const ids = systemIds();
  const tenant = 'default';
  for (let done = 0; done < jobs; done += batch) {
    const keys = Array.from({ length: batch }, () => ({ id: ids.job(), tenant }));
    const digest = 'a digest of 22 letters';
    const facts = { topic: 'job.echo', principal: '', parentId: '', rank: 1, digest, deadlineMs: 3_600_000 } as const;
    await store.create(
      keys.map((key) => ({ ...key, ...facts, traceId: ids.random(), packet: randomBytes(180), payload })),
    );
    const verdict = { to: 'SCHEDULED', decision: 'ALLOW', reason: '', rule: 'tenants.default', policy } as const;
    const limits = { timeoutMs: 60_000, maxRetries: 0, holdMs: 0, errorCode: '', errorMessage: '', constraints: '' };
    await store.gate(keys.map((key) => ({ ...key, digest, ...verdict, ...limits, pool: 'echo', lane: 'job.echo' })));
    const worker = { worker: 'w', instance: 'i' };
    const ask = { pool: 'echo', ...worker, n: batch, capacity: batch, lanes: ['job.echo'], acceptMs: 2_000, policy };
    const [claimed] = await store.claim([ask]);
    const held = (claimed?.jobs ?? []).map(({ id, fence, attempt }) => ({ id, tenant, fence, attempt }));
    if (held.length !== batch) throw new Error(`${held.length} of ${batch} jobs were handed out`);
    await store.accept(held.map((key) => ({ ...key, ...worker, leaseMs: 4_000 })));
    const outcome = { status: 'SUCCEEDED', retryable: false, backoffMs: 0, result: payload, execMs: 1 } as const;
    await store.commit(held.map((key) => ({ ...key, worker: 'w', ...outcome, errorCode: '', errorMessage: '' })));
    const told = await store.announced(keys);
    if (told.some((end) => end?.state !== 'SUCCEEDED')) throw new Error('a job did not succeed');
  }
}

function whole(name: string, text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= 1_000_000) return n;
  throw new Error(`--${name}: a whole number from 1 to 1000000`);
}
