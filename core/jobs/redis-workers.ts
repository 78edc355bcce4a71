// Workers on Redis: claim, renew, register, unregister. With one partition `w:<id>` is read in the same script as the slots; on a
// cluster it is global, so it is asked first, and the slots are summed over the partitions.
import { type Arg, int, list, script, text } from '#core/redis/redis.ts';
import { handOutOf, pendingOf, stopReasonOf } from './redis-record.ts';
import type { Calls } from './redis-calls.ts';
import * as attempt from './scripts/attempt.ts';
import { claim as claimScript } from './scripts/claim.ts';
import * as workers from './scripts/worker.ts';
import type { Claim, Claimed, JobStore, Renew, Renewed, Requeue } from './store.ts';

const holderScript = script('holder', /* lua */ `return redis.call('HMGET',KEYS[1],'inst','cap')`);

const aliveScript = script(
  'alive',
  /* lua */ `
local holder=redis.call('HGET',KEYS[1],'inst')
if holder and holder~=ARGV[1] then return 'replaced' end
redis.call('HSET',KEYS[1],'inst',ARGV[1],'cap',ARGV[2],'pool',ARGV[3])
redis.call('PEXPIRE',KEYS[1],ARGV[4])
return 'ok'`,
);

type WorkerCalls = Pick<JobStore, 'claim' | 'renew' | 'register' | 'unregister'>;

/** The worker operations; `requeue` is the store's own, for what an earlier instance held. */
export function workerCalls(calls: Calls, requeue: JobStore['requeue']): WorkerCalls {
  const { redis, keys, run, random, workerKey } = calls;

  const claimIn = async (p: number, items: readonly Claim[]): Promise<Claimed[]> => {
    const args: Arg[] = [];
    for (const c of items) {
      args.push(c.pool, c.worker, c.instance, c.n, c.capacity, c.acceptMs, c.policy.sequence, c.policy.hash, random());
      const weights = Object.entries(c.weights ?? {});
      args.push(workerKey(c.instance, c.worker), c.lanes.length, weights.length, ...c.lanes, ...weights.flat());
    }
    return list(await run(claimScript, p, args)).map((reply): Claimed => {
      const row = list(reply);
      return {
        outcome: row[0] === 'gone' || row[0] === 'later' ? row[0] : 'ok',
        used: int(row[1]),
        capacity: int(row[2]),
        jobs: list(row[3]).map(handOutOf),
        regate: list(row[4]).map(pendingOf),
      };
    });
  };

  const claimAcross = async (c: Claim): Promise<Claimed> => {
    let { capacity } = c;
    if (c.instance !== '') {
      const [instance, own] = list(await redis.run(holderScript, [keys.worker(c.worker)], []));
      if (instance !== c.instance) return { outcome: 'gone', used: 0, capacity, jobs: [], regate: [] };
      capacity = int(own);
    }
    const used: number[] = [];
    for (let p = 0; p < keys.partitions; p++) used.push(int(list(await run(workers.used, p, [c.worker]))[0]));
    let total = used.reduce((a, b) => a + b, 0);
    const jobs: Claimed['jobs'][number][] = [];
    const regate: Claimed['regate'][number][] = [];
    // A random start, so that no partition is served first by every scheduler.
    const first = Number.parseInt(random().slice(-4), 16) % keys.partitions;
    for (let k = 0; k < keys.partitions && jobs.length < c.n && total < capacity; k++) {
      const p = (first + k) % keys.partitions;
      const elsewhere = total - (used[p] ?? 0);
      const [got] = await claimIn(p, [{ ...c, n: c.n - jobs.length, capacity: capacity - elsewhere }]);
      if (got === undefined) continue;
      jobs.push(...got.jobs);
      regate.push(...got.regate);
      total = elsewhere + got.used;
    }
    return { outcome: 'ok', used: total, capacity, jobs, regate };
  };

  const renewIn = async (p: number, items: readonly Renew[]): Promise<Renewed[]> => {
    const args: Arg[] = [];
    for (const r of items) {
      args.push(
        r.worker,
        r.instance,
        r.pool,
        r.capacity,
        r.leaseMs,
        r.aliveMs,
        workerKey(r.instance, r.worker),
        r.jobs.length,
      );
      for (const job of r.jobs) args.push(job.id, job.fence, job.attempt);
    }
    return list(await run(attempt.renew, p, args)).map((reply): Renewed => {
      const row = list(reply);
      const jobs = list(row[1]).map((a) => (a === 'keep' ? 'keep' : stopReasonOf(a)));
      return { outcome: row[0] === 'replaced' ? 'replaced' : 'ok', jobs };
    });
  };

  const renewAcross = async (r: Renew): Promise<Renewed> => {
    const alive = await redis.run(aliveScript, [keys.worker(r.worker)], [r.instance, r.capacity, r.pool, r.aliveMs]);
    if (alive !== 'ok') return { outcome: 'replaced', jobs: r.jobs.map(() => 'lost') };
    const jobs = new Array<Renewed['jobs'][number]>(r.jobs.length);
    const groups = Map.groupBy(r.jobs.entries(), ([, job]) => keys.ofTenant(job.tenant));
    await Promise.all(
      Array.from(groups, async ([p, part]) => {
        const [answer] = await renewIn(p, [{ ...r, jobs: part.map(([, job]) => job) }]);
        for (const [k, [i]] of part.entries()) jobs[i] = answer?.jobs[k] ?? 'unknown';
      }),
    );
    return { outcome: 'ok', jobs };
  };

  return {
    async claim(items) {
      if (items.length === 0) return [];
      if (keys.partitions === 1) return claimIn(0, items);
      const out: Claimed[] = [];
      for (const item of items) out.push(await claimAcross(item));
      return out;
    },

    async renew(items) {
      if (items.length === 0) return [];
      return keys.partitions === 1 ? renewIn(0, items) : Promise.all(items.map(renewAcross));
    },

    async register(item) {
      const args = [item.instance, item.capacity, item.pool, item.aliveMs];
      const row = list(await redis.run(workers.register, [keys.worker(item.worker)], args));
      if (row[0] !== 'ok') return { outcome: 'taken', aliveMs: int(row[1]), ends: [], requeued: 0 };
      const ends = [];
      let requeued = 0;
      for (let p = 0; p < keys.partitions; p++) {
        const held = list(await run(workers.held, p, [item.worker, item.instance])).map((reply): Requeue => {
          const [id, state, fence, tenant] = list(reply).map(text);
          const running = state === 'RUNNING';
          return {
            id: id ?? '',
            tenant: tenant ?? '',
            seen: { state: running ? 'RUNNING' : 'DISPATCHED', fence: fence ?? '' },
            why: running ? 'lost' : 'unaccepted',
            delayMs: 0,
          };
        });
        for (const { outcome, end } of await requeue(held)) {
          if (end !== undefined) ends.push(end);
          else if (outcome === 'queued') requeued++;
        }
      }
      return { outcome: 'ok', aliveMs: item.aliveMs, ends, requeued };
    },

    async unregister(worker, instance) {
      await redis.run(workers.unregister, [keys.worker(worker)], [instance]);
    },
  };
}
