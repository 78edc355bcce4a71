// Every scheduler hears every heartbeat: what one of two knows about a worker does not depend on whose turn it was.
import { afterEach, expect, test } from 'vitest';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
afterEach(() => rig.close());

test('two schedulers on one bus both hear every heartbeat', async () => {
  rig = await createRig(stage, { engines: 2 });
  const workers = await Promise.all(Array.from({ length: 5 }, (_, i) => rig.worker({ id: `w${i}`, parallel: 1 })));
  // Each beat says something new, so that whoever hears it tells so.
  for (let parallel = 2; parallel <= 4; parallel++) {
    for (const worker of workers) {
      worker.capacity.told = parallel;
      worker.beat();
    }
    await rig.settle();
  }
  const heard = workers.flatMap((_, i) => Array.from({ length: 4 }, () => `w${i}`));
  for (const engine of rig.engines) {
    const seen = rig.told('worker', engine).filter(({ is }) => is === 'seen');
    expect(seen.map(({ id }) => id).toSorted()).toEqual(heard);
    expect(engine.metrics.read('cortex_scheduler_workers{pool="echo"}')).toBe(5);
  }
  // And nobody is forgotten by either of them while all go on beating.
  await rig.advance(40_000);
  for (const engine of rig.engines) {
    expect(rig.told('worker', engine).filter(({ is }) => is === 'gone')).toEqual([]);
    expect(engine.metrics.read('cortex_scheduler_workers{pool="echo"}')).toBe(5);
  }
});
