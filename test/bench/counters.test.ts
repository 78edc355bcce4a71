// What a job costs on the whole path, counted where noise cannot touch it: gateway, kernel, scheduler and worker as processes, on real
// servers. Times are nobody's business here; `npm run bench -- path` measures them.
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import type { BusConnection } from '#core/bus/bus.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { list, type RedisConnection, script, text } from '#core/redis/redis.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { freePort } from '../../local/servers/ports.ts';
import { until } from '../helpers/until.ts';
import { openConnection, type RawConnection } from './path/clients/raw-http.ts';
import { httpBody } from './path/payload.ts';
import { type Plane, startPlane } from './plane.ts';
import { type Counted, type PortWatch, watchPort } from './port-watch.ts';

/** Read by the test itself while it watches; not counted. */
const left = script('left', `return {redis.call('ZCARD','due'),redis.call('HLEN','qn')}`);
const ends = script(
  'ends',
  `local out={} for i,k in ipairs(KEYS) do out[i]=table.concat(redis.call('LRANGE',k,0,-1),' ') end return out`,
);

const lanes = 50;
const submitted: string[] = [];
/** How often an end was heard, by job. */
const heard = new Map<string, number>();
const waiting = new Map<string, () => void>();
let published = new Map<string, number>();
let plane: Plane;
let bus: BusConnection;
let redis: RedisConnection;
let admin: Client;
let watch: PortWatch;
let monitor: number;
let connections: RawConnection[];

beforeAll(async () => {
  monitor = await freePort();
  plane = await startPlane({ nats: { args: ['-m', String(monitor)] } });
  const onError = (error: unknown): void => console.error(error);
  bus = await connectBus({ url: plane.nats.url, name: 'counters', onError });
  redis = await connectRedis({ url: plane.redis.url, name: 'counters', onError });
  admin = new Client(plane.redis.port);
  connections = await Promise.all(Array.from({ length: lanes }, () => openConnection(plane.httpUrl)));
  await bus.subscribe('>', ({ subject, data }) => {
    const kind = subject.replace(/^worker\..*\.jobs$/, 'worker.*.jobs');
    published.set(kind, (published.get(kind) ?? 0) + 1);
    if (subject === subjects.result) hear(data);
  });
  // Every script is loaded and every queue has been used once.
  await run(100, 10);
  await quiet();
  watch = await watchPort(plane.redis.port, [left, ends]);
}, 60_000);

afterAll(async () => {
  watch?.stop();
  for (const connection of connections ?? []) connection.close();
  admin?.disconnect();
  await redis?.close();
  await bus?.close();
  await plane?.stop();
}, 30_000);

test('one job at a time: at most 6 calls, 75 commands inside scripts, 8 publications', {
  timeout: 60_000,
}, async () => {
  const idle = await watchIdle();
  const before = await taken();
  const jobs = 200;
  await run(jobs, 1);
  await quiet();
  const after = await taken();
  const port = perJob(after.port, idle.port, jobs);
  console.info(`calls a job: ${told(port.calls, jobs)}; ${port.inner.toFixed(1)} commands inside scripts`);
  const { seconds } = after.port;
  const beat = (name: string): number => ((idle.published.get(name) ?? 0) / idle.port.seconds) * seconds;
  const messages = Array.from(after.published, ([name, n]) => [name, (n - beat(name)) / jobs] as const);
  console.info(`publications a job: ${messages.map(([name, n]) => `${name} ${n.toFixed(2)}`).join(', ')}`);
  // A little more for what the beat of once a second adds here and there.
  expect(port.sum).toBeLessThan(6.1);
  expect(port.inner).toBeLessThan(75.5);
  expect(messages.reduce((sum, [, n]) => sum + n, 0)).toBeLessThan(8.1);
  // The server counts the same, whoever listens.
  const server = (after.inMsgs - before.inMsgs - (idle.inMsgs / idle.port.seconds) * seconds) / jobs;
  expect(server).toBeLessThan(8.1);
});

test('fifty outstanding: under 3 calls a job', { timeout: 60_000 }, async () => {
  const idle = await watchIdle();
  await taken();
  const jobs = 2_500;
  await run(jobs, lanes);
  await quiet();
  const { port } = await taken();
  const cost = perJob(port, idle.port, jobs);
  console.info(`calls a job: ${told(cost.calls, jobs)}; ${cost.inner.toFixed(1)} commands inside scripts`);
  expect(cost.sum).toBeLessThan(3);
});

test('a finished job leaves at most 5 keys and 1,800 bytes beside packet, payload and result', {
  timeout: 60_000,
}, async () => {
  watch.stop(); // what it has not read yet would be memory of the server
  // The tenant's stream is full by now, so that it grows no more; so is job:recent.
  expect(await admin.xlen('ev:default')).toBeGreaterThanOrEqual(10_000);
  const before = await memory();
  const jobs = 3_500;
  await run(jobs, lanes);
  await quiet();
  const after = await memory();
  const bytes = await ownBytes(submitted.slice(-100));
  const keys = (after.keys - before.keys) / jobs;
  // The whole growth holds payload and result as well, and the server's own tables of keys and of their ends.
  const whole = (after.bytes - before.bytes) / jobs;
  console.info(
    `${keys.toFixed(2)} keys and ${Math.round(bytes)} bytes a job; the server grew by ${Math.round(whole)} a job`,
  );
  expect(keys).toBeLessThanOrEqual(5.02); // a worker's own keys come and go
  expect(bytes).toBeLessThanOrEqual(1800);
});

test('nothing was lost or doubled, and nobody searched the keys', { timeout: 60_000 }, async () => {
  expect(new Set(submitted).size).toBe(submitted.length);
  expect(heard.size).toBe(submitted.length);
  expect(new Set(heard.values())).toEqual(new Set([1]));
  const paths = new Map<string, number>();
  for (let at = 0; at < submitted.length; at += 500) {
    const keys = submitted.slice(at, at + 500).map((id) => `job:events:${id}`);
    for (const path of list(await redis.run(ends, keys, []))) {
      const states = text(path).replaceAll(/\d+\|/g, '');
      paths.set(states, (paths.get(states) ?? 0) + 1);
    }
  }
  expect(Object.fromEntries(paths)).toEqual({ 'PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED': submitted.length });
  expect(await admin.info('commandstats')).not.toMatch(/cmdstat_(keys|scan|hscan|sscan|zscan):/);
});

function hear(data: Uint8Array): void {
  const packet = decodePacket(data);
  if (!packet.ok || packet.value.payload.case !== 'jobResult') throw new Error('not a result');
  const { jobId, status } = packet.value.payload.value;
  if (status !== JobStatus.SUCCEEDED) throw new Error(`${jobId} ended as ${status}`);
  heard.set(jobId, (heard.get(jobId) ?? 0) + 1);
  waiting.get(jobId)?.();
  waiting.delete(jobId);
}

/** Submits jobs over HTTP, so many outstanding until their ends are heard on the bus. */
async function run(jobs: number, outstanding: number): Promise<void> {
  let begun = 0;
  const lane = async (connection: RawConnection): Promise<void> => {
    while (begun < jobs) {
      begun++;
      const { status, body } = await connection.post('/api/v1/jobs', httpBody);
      if (status !== 202) throw new Error(`${status}: ${body}`);
      const { job_id: id } = JSON.parse(body) as { job_id: string };
      submitted.push(id);
      if (!heard.has(id)) await new Promise<void>((resolve) => waiting.set(id, resolve));
    }
  };
  await Promise.all(connections.slice(0, outstanding).map(lane));
}

/** Waits until every end has been marked as announced and no queue holds anything. */
async function quiet(): Promise<void> {
  let seen = '';
  await until(async () => (seen = JSON.stringify(await redis.run(left, [], []))) === '[0,0]', {
    timeout: 10_000,
    message: () => `due and queues to be empty; they hold ${seen}`,
  });
}

interface Taken {
  readonly port: Counted;
  readonly published: ReadonlyMap<string, number>;
  /** Messages that nats-server has been given since its start. */
  readonly inMsgs: number;
}

async function taken(): Promise<Taken> {
  const response = await fetch(`http://127.0.0.1:${monitor}/varz`);
  const { in_msgs: inMsgs } = (await response.json()) as { in_msgs: number };
  const was = published;
  published = new Map();
  return { port: watch.take(), published: was, inMsgs };
}

/** What happens by itself: looked at for three beats of the schedulers' second, told by the calls that come in. */
async function watchIdle(): Promise<Taken> {
  const begun = await taken();
  const at = performance.now();
  await until(() => performance.now() - at > 3_000, { timeout: 5_000, interval: 100 });
  const over = await taken();
  return { ...over, inMsgs: over.inMsgs - begun.inMsgs };
}

interface Cost {
  readonly calls: ReadonlyMap<string, number>;
  /** Per job. */
  readonly sum: number;
  readonly inner: number;
}

/** The cost of a job, without what would have been done in that time anyhow. */
function perJob(counted: Counted, idle: Counted, jobs: number): Cost {
  const share = counted.seconds / idle.seconds;
  const calls = new Map(
    Array.from(counted.calls, ([name, n]) => [name, n - (idle.calls.get(name) ?? 0) * share] as const),
  );
  const sum = Array.from(calls.values()).reduce((total, n) => total + n, 0) / jobs;
  return { calls, sum, inner: (counted.inner - idle.inner * share) / jobs };
}

function told(calls: ReadonlyMap<string, number>, jobs: number): string {
  return Array.from(calls, ([name, n]) => `${name} ${(n / jobs).toFixed(2)}`).join(', ');
}

/** What a finished job holds beside packet, payload and result: its other keys, and its share of its tenant's list. */
async function ownBytes(ids: readonly string[]): Promise<number> {
  const usage = async (key: string): Promise<number> => Number(await admin.memory('USAGE', key, 'SAMPLES', 0));
  let sum = ((await usage('jobs:default')) / (await admin.zcard('jobs:default'))) * ids.length;
  for (const id of ids) {
    const trace = await admin.hget(`job:meta:${id}`, 'trace');
    for (const key of [`job:meta:${id}`, `job:events:${id}`, `trace:${trace}`]) sum += await usage(key);
  }
  return sum / ids.length;
}

async function memory(): Promise<{ readonly keys: number; readonly bytes: number }> {
  const info = await admin.info('memory');
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  // Buffers of connections are no job's.
  return { keys: await admin.dbsize(), bytes: field('used_memory') - field('mem_clients_normal') };
}
