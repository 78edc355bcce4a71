// The virtual times of tenants that ever came: a bounded number is remembered, and forgetting the others changes no order. The twin forgets
// nothing, so it is the judge.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fewTenants, mostLanes, mostTenants } from '#core/jobs/scripts/tidy.ts';
import { script } from '#core/redis/redis.ts';
import { long } from '../helpers/long.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { withTwin } from './job-store/in-step.ts';
import { createRig, policy, type Rig, type Spec } from './job-store/rig.ts';

const stage = redisStage();
const pool = 'pool';
const worker = { worker: 'w1', instance: 'i1' };
const key = `vt:${pool}`;
const command = (name: string) => script(name, `return redis.call('${name}',KEYS[1],unpack(ARGV))`);
const [zcard, zadd, zscore] = [command('ZCARD'), command('ZADD'), command('ZSCORE')];
const remembered = async (): Promise<number> => Number(await stage.redis().run(zcard, [key], []));

async function open(make = stage.make): Promise<Rig> {
  const rig = await createRig(make, 1);
  await rig.raw.register({ ...worker, pool, capacity: 100_000, aliveMs: 1e9 });
  return rig;
}

async function fill(rig: Rig, specs: readonly (Spec & { readonly cost?: number })[]): Promise<void> {
  const jobs = specs.map((spec) => ({ job: rig.subject({ pool, ...spec }), cost: spec.cost ?? 1 }));
  await rig.raw.create(jobs.map(({ job }) => job.new));
  await rig.raw.gate(jobs.map(({ job, cost }) => rig.gateOf(job, 'SCHEDULED', { cost })));
}

/** Tenants in the order in which their jobs are handed out. */
async function served(rig: Rig, n: number, lanes: readonly string[], weights = {}): Promise<readonly string[]> {
  const claim = { pool, ...worker, n, capacity: 100_000, lanes, acceptMs: 2000, policy, weights };
  return rig.one(await rig.raw.claim([claim])).jobs.map(({ tenant }) => tenant);
}

test('thousands of tenants that came once each are not remembered for ever, whether somebody stays or nobody', {
  timeout: 120_000,
}, async () => {
  for (const steady of [true, false]) {
    const rig = await open();
    const [batch, all] = [50, long ? 10_000 : 3 * mostTenants];
    let most = 0;
    for (let i = 0; i < all; i += batch) {
      const once = Array.from({ length: batch }, (_, k): Spec => ({ tenant: `t${i + k}` }));
      await fill(rig, steady ? [{ tenant: 'steady' }, ...once] : once);
      rig.advance(1);
      await served(rig, batch + 1, ['job.echo']);
      most = Math.max(most, await remembered());
    }
    // It is looked after once in sixteen milliseconds.
    const between = 16 * (batch + 1);
    const bound = steady ? fewTenants + 3 * batch : mostTenants;
    expect(most, `steady ${steady}`).toBeLessThanOrEqual(bound + between);
    expect(await remembered(), `steady ${steady}`).toBeGreaterThan(0);
  }
});

test('the least ahead are forgotten first: who has had much is not taken for a newcomer', async () => {
  const rig = await open();
  await fill(rig, [{ tenant: 'dear', cost: 100 }]);
  await served(rig, 1, ['job.echo']);
  for (let i = 0; i < 30; i++) {
    await fill(
      rig,
      Array.from({ length: 100 }, (_, k): Spec => ({ tenant: `t${i * 100 + k}` })),
    );
    rig.advance(16);
    await served(rig, 100, ['job.echo']);
  }
  expect(await remembered()).toBeLessThanOrEqual(mostTenants + 100);
  expect(await stage.redis().run(zscore, [key], ['dear'])).toBe('100');
});

test('with very many lanes waiting nothing is forgotten', async () => {
  const rig = await open();
  await fill(
    rig,
    Array.from({ length: mostLanes + 1 }, (_, i): Spec => ({ tenant: 'x', topic: `job.${i}` })),
  );
  await fill(
    rig,
    Array.from({ length: 200 }, (_, i): Spec => ({ tenant: `t${i}` })),
  );
  await fill(rig, [{ tenant: 'late' }, { tenant: 'late' }]);
  rig.advance(16);
  expect(await served(rig, 202, ['job.echo'])).toHaveLength(202);
  expect(await remembered()).toBe(202);
});

const tenant = fc.constantFrom('a', 'b', 'c', 'd');
const lane = fc.constantFrom('job.a', 'job.b', 'job.c');
const job = fc.record({ tenant, lane, rank: fc.constantFrom(0, 1, 2), cost: fc.constantFrom(1, 1, 2, 5) } as const);
const step = fc.oneof(
  fc.array(job, { minLength: 1, maxLength: 6 }).map((jobs) => ({ jobs })),
  fc.record({
    n: fc.integer({ min: 1, max: 5 }),
    lanes: fc.uniqueArray(lane, { minLength: 1, maxLength: 3 }),
    weights: fc.constantFrom({}, { a: 3 }, { b: 0.5 }),
  }),
);

test('what is forgotten changes no order', { timeout: 120_000 }, async () => {
  let forgot = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const rig = await open(withTwin(stage.make));
      // Enough that stay ahead, so that there is always somebody to forget.
      const ahead = Array.from({ length: fewTenants }, (_, i) => [1e9, `ahead${i}`]).flat();
      await stage.redis().run(zadd, [key], ahead);
      const seen = new Set<string>();
      for (const one of steps) {
        rig.advance(16);
        if ('jobs' in one) {
          await fill(
            rig,
            one.jobs.map((its) => ({ ...its, topic: its.lane, lane: its.lane })),
          );
          continue;
        }
        // Both stores are asked, and must hand out the same jobs.
        for (const name of await served(rig, one.n, one.lanes, one.weights)) seen.add(name);
        forgot = Math.max(forgot, seen.size + fewTenants + 1 - (await remembered()));
      }
      // All that is left, in one order.
      await served(rig, 300, ['job.a', 'job.b', 'job.c']);
    }),
    { numRuns: long ? 2_000 : 150 },
  );
  expect(forgot).toBeGreaterThan(2);
});
