// Random walks: Redis and its twin in step, Redis with four partitions, and the twin alone for longer ones. CORTEX_SEED=n walks one seed.
import { describe, expect, test } from 'vitest';
import { long } from '../helpers/long.ts';
import { memoryStage } from '../helpers/memory-job-store.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { withTwin } from './job-store/in-step.ts';
import { createRig } from './job-store/rig.ts';
import { walk } from './job-store/walk.ts';

const stage = redisStage();
const given = process.env['CORTEX_SEED'];
const seeds = (n: number): number[] =>
  given === undefined ? Array.from({ length: n }, (_, i) => i + 1) : [Number(given)];

const both = withTwin(stage.make);

describe('a random walk', () => {
  test.each(seeds(long ? 100 : 3))('on Redis and its twin in step, seed %d', { timeout: 120_000 }, async (seed) => {
    await walk(await createRig(both, 1), seed, long ? 2000 : 300);
  });

  test.each(seeds(long ? 30 : 2))('on Redis with four partitions, seed %d', { timeout: 120_000 }, async (seed) => {
    await walk(await createRig(stage.make, 4), seed, long ? 2000 : 250);
  });

  test('on the twin, many and long, and it comes everywhere', { timeout: 120_000 }, async () => {
    const reached = new Set<string>();
    for (const seed of seeds(long ? 300 : 4)) {
      for (const what of (await walk(await createRig(memoryStage, 1), 1000 + seed, 900)).keys()) reached.add(what);
    }
    if (given !== undefined) return;
    // What the walk must have met to be worth its time.
    expect(Array.from(reached)).toEqual(
      expect.arrayContaining([
        ...['created', 'existing', 'conflict', 'idempotency_conflict', 'payload_missing']
          .filter((o) => o !== 'conflict')
          .map((o) => `create ${o}`),
        ...['applied', 'state', 'digest', 'unapproved', 'waits'].map((o) => `gate ${o}`),
        ...['approved', 'state', 'digest'].map((o) => `approve ${o}`),
        ...['claim ok', 'claim ok regate', 'claim gone', 'accept run', 'accept stale', 'renew ok'],
        ...['keep', 'lost', 'cancelled', 'ended', 'timeout', 'denied'].map((o) => `renewed ${o}`),
        ...['committed', 'retry', 'stale'].flatMap((o) => [`commit ${o}`, `foreign ${o}`]),
        ...['ok', 'stale'].map((o) => `progress ${o}`),
        ...['ok', 'stale', 'gap'].map((o) => `output ${o}`),
        ...['ended', 'already'].map((o) => `end ${o}`),
        ...['requeue lost queued', 'requeue lost failed', 'requeue unaccepted queued', 'requeue ready queued'],
        ...[
          'due PENDING judge',
          'due DISPATCHED requeue',
          'due RUNNING requeue',
          'due RUNNING timeout',
          'due SCHEDULED timeout',
        ],
        ...['due SCHEDULED requeue', 'due SUCCEEDED announce', 'due CANCELLED announce', 'register ok'],
      ]),
    );
  });
});
