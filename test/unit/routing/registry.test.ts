// Who is there: heartbeats in, entries out, and nobody for longer than three intervals.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { createRegistry, expiryMs, maxWorkers } from '#core/routing/registry.ts';
import { HeartbeatSchema } from '#proto/cortex/agent/v1/heartbeat_pb.ts';

const pools = {
  topics: new Map([
    ['job.a', 'p'],
    ['job.b', 'p'],
    ['job.c', 'q'],
  ]),
  silentCapacity: new Map([['q', 2]]),
  busTenants: new Set(['default']),
};
const ours = { 'cortex.dispatch': 'direct', 'cortex.instance': 'i1' };
type Init = Exclude<MessageInitShape<typeof HeartbeatSchema>, { $typeName: string }>;
const beat = (init: Init) => create(HeartbeatSchema, { workerId: 'w1', pool: 'p', maxParallelJobs: 4, ...init });
const direct = (init: Init = {}) => beat({ ...init, labels: { ...ours, ...init.labels } });
const open = () => createRegistry(pools);

test('a worker of ours is an entry of its own', () => {
  const registry = open();
  registry.beat(
    direct({
      region: 'eu',
      capabilities: ['gpu'],
      cpuLoad: 20,
      gpuUtilization: 30,
      activeJobs: 1,
      labels: { os: 'x' },
    }),
    0,
  );
  expect(registry.of('p')).toEqual([
    {
      ...{ id: 'w1', pool: 'p', instance: 'i1', direct: true, topics: undefined, capabilities: ['gpu'], region: 'eu' },
      ...{ labels: { ...ours, os: 'x' }, capacity: 4, activeJobs: 1, cpuLoad: 20, gpuUtilization: 30 },
    },
  ]);
  expect(registry.of('q').map((worker) => worker.id)).toEqual(['topic:job.c']);
});

test('it may say which topics it takes', () => {
  const registry = open();
  registry.beat(direct({ labels: { 'cortex.topics': 'job.a,job.b' } }), 0);
  expect(registry.of('p')[0]?.topics).toEqual(['job.a', 'job.b']);
});

test('the others of a pool are one pseudo-worker for each topic, with what all of them have', () => {
  const registry = open();
  registry.beat(
    beat({ workerId: 'c1', capabilities: ['x', 'y'], labels: { os: 'l', z: '1' }, region: 'eu', cpuLoad: 10 }),
    0,
  );
  registry.beat(
    beat({ workerId: 'c2', capabilities: ['y', 'z'], labels: { os: 'l', z: '2' }, region: 'eu', cpuLoad: 30 }),
    0,
  );
  const common = { capacity: 8, capabilities: ['y'], labels: { os: 'l' }, region: 'eu', cpuLoad: 20, direct: false };
  expect(registry.of('p')).toMatchObject([
    { id: 'topic:job.a', topics: ['job.a'], ...common },
    { id: 'topic:job.b', topics: ['job.b'], ...common },
  ]);
});

test('silent capacity counts only while nobody beats', () => {
  const registry = open();
  expect(registry.of('q')).toMatchObject([{ id: 'topic:job.c', capacity: 2 }]);
  registry.beat(beat({ workerId: 'c1', pool: 'q', maxParallelJobs: 1 }), 0);
  expect(registry.of('q')).toMatchObject([{ id: 'topic:job.c', capacity: 1 }]);
  registry.expire(expiryMs + 1);
  expect(registry.of('q')).toMatchObject([{ id: 'topic:job.c', capacity: 2 }]);
});

test.each<readonly [string, Init, 'changed' | 'same']>([
  ['the first beat', {}, 'changed'],
  ['more load', { activeJobs: 3, cpuLoad: 99 }, 'same'],
  ['another capability', { capabilities: ['gpu'] }, 'changed'],
  ['another label', { labels: { os: 'l' } }, 'changed'],
  ['another region', { region: 'us' }, 'changed'],
  ['another capacity', { maxParallelJobs: 5 }, 'changed'],
  ['another pool', { pool: 'q' }, 'changed'],
  ['another process', { labels: { 'cortex.instance': 'i2' } }, 'changed'],
])('%s: %j is %s', (name, init, what) => {
  const registry = open();
  if (name !== 'the first beat') registry.beat(direct(), 0);
  expect(registry.beat(direct(init), 1)).toBe(what);
  expect(registry.get('w1')).toMatchObject(
    init.maxParallelJobs === undefined ? {} : { capacity: init.maxParallelJobs },
  );
});

test('a worker that moves to another pool is in that one alone', () => {
  const registry = open();
  registry.beat(direct(), 0);
  registry.beat(direct({ pool: 'q' }), 1);
  expect(registry.of('p')).toEqual([]);
  expect(registry.of('q').map((worker) => worker.id)).toEqual(['w1', 'topic:job.c']);
  expect([registry.count('p'), registry.count('q')]).toEqual([0, 1]);
});

test('who is silent for more than fifteen seconds is gone', () => {
  const registry = open();
  registry.beat(direct({ workerId: 'a' }), 0);
  registry.beat(direct({ workerId: 'b' }), 1);
  expect(registry.expire(expiryMs)).toEqual([]);
  expect(registry.expire(expiryMs + 1)).toEqual(['a']);
  expect(registry.of('p').map((worker) => worker.id)).toEqual(['b']);
  expect(registry.get('a')).toBeUndefined();
  expect(registry.expire(expiryMs + 2)).toEqual(['b']);
  expect(registry.snapshot(0, 0)).toEqual([]);
});

test('a suspect is left out until its next beat; what is no worker of ours cannot be one', () => {
  const registry = open();
  registry.beat(direct(), 0);
  registry.beat(beat({ workerId: 'c1' }), 0);
  registry.suspect('w1');
  registry.suspect('c1');
  registry.suspect('topic:job.a');
  registry.suspect('nobody');
  expect(registry.of('p').map((worker) => worker.id)).toEqual(['topic:job.a', 'topic:job.b']);
  expect(registry.count('p')).toBe(2); // it may well be alive
  expect(registry.beat(direct(), 1)).toBe('changed');
  expect(registry.of('p').map((worker) => worker.id)).toEqual(['w1', 'topic:job.a', 'topic:job.b']);
});

test.each([
  ['no capacity', { maxParallelJobs: 0 }],
  ['less than none', { maxParallelJobs: -3 }],
])('a worker with %s is alive and gets nothing', (_name, init) => {
  const registry = open();
  registry.beat(direct(init), 0);
  registry.beat(beat({ workerId: 'c1', ...init }), 0);
  expect(registry.of('p')).toEqual([]);
  expect(registry.count('p')).toBe(2);
});

test.each([
  ['an empty token in its id', { workerId: 'a..b', labels: ours }],
  ['a dot at the end', { workerId: 'a.', labels: ours }],
  ['no instance', { labels: { 'cortex.dispatch': 'direct' } }],
])('a worker of ours with %s is refused', (_name, init) => {
  expect(open().beat(beat(init), 0)).toBe('refused');
});

test('loads that are no numbers harm neither order nor snapshot', () => {
  const registry = open();
  registry.beat(direct({ cpuLoad: Number.NaN, gpuUtilization: Number.POSITIVE_INFINITY }), 0);
  expect(registry.get('w1')).toMatchObject({ cpuLoad: 0, gpuUtilization: 100 });
  expect(registry.snapshot(0, 0)[0]).toMatchObject({ cpu_load: 0, gpu_utilization: 100 });
});

test('the snapshot tells when each was seen, on the clock on the wall', () => {
  const registry = open();
  registry.beat(direct({ activeJobs: 2, type: 'cpu' }), 1_000);
  expect(registry.snapshot(4_000, 1_800_000_000_000)).toMatchObject([
    { worker_id: 'w1', pool: 'p', type: 'cpu', active_jobs: 2, max_parallel_jobs: 4, last_seen: 1_799_999_997_000 },
  ]);
});

test('ids beyond the limit are refused, known ones go on', () => {
  const registry = open();
  for (let i = 0; i < maxWorkers; i++) registry.beat(beat({ workerId: `c${i}` }), 0);
  expect(registry.beat(direct(), 1)).toBe('refused');
  expect(registry.beat(beat({ workerId: 'c7' }), 1)).toBe('same');
  registry.expire(expiryMs + 1);
  expect(registry.beat(direct(), 1)).toBe('changed');
});

test('the id of a worker of ours is its own as long as it beats', () => {
  const registry = open();
  registry.beat(direct(), 0);
  expect(registry.beat(beat({ maxParallelJobs: 50 }), 1)).toBe('refused');
  expect(registry.beat(beat({ pool: 'q' }), 1)).toBe('refused');
  expect(registry.of('p').map((worker) => worker.id)).toEqual(['w1']);
  expect(registry.beat(direct({ activeJobs: 1 }), 2)).toBe('same');
  registry.expire(expiryMs + 3);
  expect(registry.beat(beat({}), expiryMs + 4)).toBe('changed');
  expect(registry.of('p').map((worker) => worker.id)).toEqual(['topic:job.a', 'topic:job.b']);
  expect(registry.beat(direct(), expiryMs + 5)).toBe('changed');
});
