// Heartbeats: at once, every five seconds, and when a worker becomes full or free.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createMemoryBusServer } from '#core/bus/memory.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import type { Heartbeat } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { createHeartbeats, type Heartbeats } from '../../../services/worker/heartbeat.ts';
import type { HostedWorker } from '../../../services/worker/hosted.ts';
import { createFakeClock, type FakeClock } from '../../helpers/clock.ts';

const definition = defineWorker({
  ...{ topic: 'job.test', pool: 'test', parallel: 2, capabilities: ['a', 'b'] },
  input: z.unknown(),
  handle: () => 1,
});

let clock: FakeClock;
let beats: { atMs: number; traceId: string; beat: Heartbeat }[];
let worker: HostedWorker;
let draining: boolean;
let heartbeats: Heartbeats;
let bus: ReturnType<ReturnType<typeof createMemoryBusServer>['connect']>;

beforeEach(async () => {
  clock = createFakeClock();
  const seen: typeof beats = []; // not shared: the last beat of one test arrives during the next
  beats = seen;
  draining = false;
  worker = { id: 'w0', definition, parallel: 2, attempts: new Map(), active: 0 };
  const server = createMemoryBusServer();
  bus = server.connect();
  await server.connect().subscribe(subjects.heartbeat, (message) => {
    const packet = decodePacket(message.data);
    if (!packet.ok || packet.value.payload.case !== 'heartbeat') throw new Error('no heartbeat');
    seen.push({ atMs: clock.monotonic(), traceId: packet.value.traceId, beat: packet.value.payload.value });
  });
  heartbeats = createHeartbeats({
    ...{ bus, clock, instance: 'i-1' },
    workers: () => [worker],
    draining: () => draining,
    cpuLoad: () => 37.5,
  });
});
afterEach(() => heartbeats.stop());

test('say all that a scheduler needs', async () => {
  worker.active = 1;
  heartbeats.start();
  await clock.advance(0);
  expect(beats).toMatchObject([
    {
      atMs: 0,
      traceId: 'hb-w0',
      beat: {
        ...{ workerId: 'w0', region: 'local', type: 'cpu', cpuLoad: 37.5, gpuUtilization: 0, activeJobs: 1 },
        ...{ capabilities: ['a', 'b'], pool: 'test', maxParallelJobs: 2 },
        labels: { 'cortex.dispatch': 'direct', 'cortex.instance': 'i-1', 'cortex.topics': 'job.test' },
      },
    },
  ]);
});

test('come every five seconds', async () => {
  heartbeats.start();
  await clock.advance(15_500);
  expect(beats.map((b) => b.atMs)).toEqual([0, 5000, 10_000, 15_000]);
});

test('come again when something changed, five a second at most', async () => {
  heartbeats.start();
  for (let ms = 0; ms < 1000; ms += 10) {
    heartbeats.changed();
    await clock.advance(10);
  }
  expect(beats.map((b) => b.atMs)).toEqual([0, 200, 400, 600, 800, 1000]);
  await clock.advance(6000);
  expect(beats.map((b) => b.atMs).slice(6)).toEqual([6000]);
});

test('come when the bus is back', async () => {
  heartbeats.start();
  await clock.advance(1000);
  bus.disconnect();
  await clock.advance(500);
  bus.reconnect();
  await clock.advance(0);
  expect(beats.map((b) => b.atMs)).toEqual([0, 1500]);
});

test('end with one that offers no room', async () => {
  heartbeats.start();
  draining = true;
  heartbeats.stop();
  await clock.advance(20_000);
  expect(beats.map((b) => b.beat.maxParallelJobs)).toEqual([2, 0]);
  expect(clock.waiting).toBe(0);
});
