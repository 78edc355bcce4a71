// Two schedulers, workers that do everything a worker should not, outages, and 500 jobs: nothing lost, nothing doubled, nothing stuck.
// What happens is drawn from a seed; the order of what happens at once is the machine's.
import { afterEach, expect, test } from 'vitest';
import { isEnd, isState } from '#core/jobs/state.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type SchedulerRig } from '../../helpers/scheduler-rig.ts';
import type { Deed } from '../../helpers/scripted-worker.ts';

const stage = redisStage();
let rig: SchedulerRig;
afterEach(() => rig.close());

/** mulberry32: small, and the same everywhere. */
function draws(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const deeds: readonly (readonly [Deed, number])[] = [
  ['succeed', 60],
  ['mute', 8],
  ['twice', 8],
  ['retry', 6],
  ['busy', 6],
  ['ignore', 6],
  ['vanish', 6],
];

test.each([1, 2, 3])('500 jobs between two schedulers (seed %d)', { timeout: 60_000 }, async (seed) => {
  const draw = draws(seed);
  const pick = (): Deed => {
    let at = draw() * 100;
    for (const [deed, share] of deeds) if ((at -= share) < 0) return deed;
    return 'succeed';
  };
  rig = await createRig(stage, {
    engines: 2,
    timeouts: {
      topics: { 'job.echo': { max_retries: 3 }, 'job.slow': { max_retries: 3, timeout_seconds: 20 } },
      reconciler: { dispatch_timeout_seconds: 600 },
    },
  });
  const workers = await Promise.all(
    Array.from({ length: 4 }, (_, i) => rig.worker({ id: `w${i}`, parallel: 8, deed: pick })),
  );
  const cancelled = new Set<string>();
  const ids: string[] = [];
  for (let wave = 0; wave < 25; wave++) {
    ids.push(...(await rig.submitMany(18, { ring: draw() < 0.8, ...(draw() < 0.3 && { topic: 'job.slow' }) })));
    for (let i = 0; i < 2; i++) ids.push(await rig.submitOnBus({ payload: '{}' }));
    const engine = rig.engines[draw() < 0.5 ? 0 : 1];
    const fate = draw();
    if (fate < 0.1) engine?.bus.disconnect();
    else if (fate < 0.2 && engine !== undefined) engine.outage.mode = draw() < 0.5 ? 'deaf' : 'down';
    else if (fate < 0.3) rig.checker.down();
    else if (fate < 0.4) rig.checker.setPolicy(`tenants: {default: {}} # ${wave}`);
    else if (fate < 0.5) {
      const id = ids[Math.floor(draw() * ids.length)] ?? '';
      const end = { id, tenant: 'default', to: 'CANCELLED', seen: undefined, errorCode: '', errorMessage: '' } as const;
      if ((await rig.store.end([end]))[0]?.outcome === 'ended') cancelled.add(id);
    }
    await rig.advance(Math.floor(draw() * 1_500));
    rig.checker.up();
    for (const its of rig.engines) {
      its.outage.mode = 'up';
      if (its.bus.state === 'disconnected') its.bus.reconnect();
    }
  }
  // A submission on the bus that came while nobody could take it was not accepted: its client tries again.
  const known = await Promise.all(ids.map((id) => rig.store.view(id, undefined)));
  const accepted = ids.filter((_, i) => known[i] !== undefined);
  expect(accepted.length).toBeGreaterThan(400);
  const views = await rig.reach(accepted, 'ended', 120_000);
  await rig.advance(5_000);

  const ends = new Map(views.map((view) => [view.id, view.state]));
  for (const id of accepted) {
    const path = (await rig.path(id)).split(' ').filter(isState);
    expect(
      path.filter((state) => isEnd(state)),
      `${id}: ${path.join(' ')}`,
    ).toHaveLength(1);
    expect(rig.announced.has(id), `${id} announced`).toBe(true);
    if (cancelled.has(id)) expect(ends.get(id)).toBe('CANCELLED');
  }
  // A commit counts once, whoever makes it, and only for a job that succeeded; the result is the committer's.
  const committed = workers.flatMap((worker) => worker.committed);
  const succeeded = accepted.filter((id) => ends.get(id) === 'SUCCEEDED');
  expect(new Set(committed)).toEqual(new Set(succeeded));
  expect(succeeded.length).toBeGreaterThan(accepted.length * 0.9);
  const counted = rig.engines.reduce((sum, engine) => {
    let of = 0;
    for (const topic of ['job.echo', 'job.slow'])
      for (const state of ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMEOUT'])
        of += engine.metrics.read(
          `cortex_scheduler_jobs_completed_total{topic="${topic}",status="JOB_STATUS_${state}"}`,
        );
    return sum + of;
  }, 0);
  // An answer that was lost with the store is counted by nobody; none is counted twice.
  expect(counted).toBeLessThanOrEqual(accepted.length);
  expect(counted).toBeGreaterThan(accepted.length * 0.8);
  for (const view of views) {
    if (view.state !== 'SUCCEEDED') continue;
    expect(JSON.parse((await rig.store.result(view.id, 'default')) ?? '')).toEqual({
      by: view.worker,
      fence: view.fence,
    });
  }
  // What a worker vanished with is worth nothing by now.
  for (const worker of workers) {
    for (const id of worker.vanished.keys()) expect((await worker.late(id))?.outcome).toBe('stale');
  }
  const due = await rig.store.due(10, 1);
  expect(due.jobs).toEqual([]);
  expect(await rig.store.depths()).toEqual([]);
});
