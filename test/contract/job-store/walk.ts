// A random walk over everything the port can do, with few jobs, tenants and workers, so that they meet: after each operation the books
// are audited. In the end the system is left to itself, as a reconciler and honest workers would run it, and everything must end.
import { expect } from 'vitest';
import { isEnd } from '#core/jobs/state.ts';
import type { DueJob, HandOut, JobStore } from '#core/jobs/store.ts';
import { overdue } from '#core/scheduling/overdue.ts';
import type { Timeouts } from '#core/scheduling/timeouts.ts';
import { createRandom } from '../../helpers/random.ts';
import { aMinute, type Rig, type Subject } from './rig.ts';

const timeouts: Timeouts = {
  ...{
    workflows: new Map(),
    topics: new Map(),
    dispatchTimeoutMs: 20_000,
    runningTimeoutMs: 60_000,
    scanIntervalMs: 30_000,
  },
};

const tenants = ['t1', 't2', 't3'];
/** Two hosts of ours in one pool, one subject of others in another. */
const hosts = [
  { worker: 'w1', instance: 'i1', pool: 'own', capacity: 2, lanes: ['job.a', 'job.a|d'], acceptMs: 2000 },
  { worker: 'w2', instance: 'i2', pool: 'own', capacity: 3, lanes: ['job.a'], acceptMs: 2000 },
  { worker: 'topic:job.b', instance: '', pool: 'bus', capacity: 2, lanes: ['job.b'], acceptMs: 0 },
] as const;
type Host = (typeof hosts)[number];

const weights = {
  ...{
    create: 9,
    again: 2,
    gate: 14,
    approve: 3,
    claim: 16,
    accept: 16,
    renew: 10,
    commit: 9,
    foreign: 5,
    progress: 3,
    artifact: 3,
  },
  ...{
    stopped: 6,
    end: 3,
    requeue: 10,
    reconcile: 10,
    announce: 6,
    register: 2,
    silence: 1,
    policy: 1,
    time: 22,
    read: 4,
  },
};

const statuses = ['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'FAILED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'DENIED'] as const;
const whys = ['unaccepted', 'busy', 'lost', 'drained', 'no_responders', 'ready'] as const;

interface Held {
  readonly job: Subject;
  readonly host: Host;
}

/** Walks; throws what the auditor or a broken promise of the port says, with the seed and the step. */
export async function walk(rig: Rig, seed: number, steps: number, mostJobs = 40): Promise<ReadonlyMap<string, number>> {
  const walker = createWalker(rig, seed, mostJobs);
  let step = 0;
  try {
    for (; step < steps; step++) await walker.step();
    await walker.settle();
  } catch (cause) {
    throw new Error(`seed ${seed}, step ${step}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return walker.reached;
}

function createWalker(rig: Rig, seed: number, mostJobs: number) {
  const random = createRandom(seed);
  const { store } = rig;
  const jobs: Subject[] = [];
  /** Every hand-out there ever was: hosts that come late say things about old ones. */
  const held: Held[] = [];
  const reached = new Map<string, number>();
  let sequence = 1;
  const policy = () => ({ sequence, hash: `h${sequence}` });
  const note = (what: string): void => void reached.set(what, (reached.get(what) ?? 0) + 1);
  for (const { worker, capacity } of hosts) rig.capacity.set(worker, capacity);

  const register = async (host: Host): Promise<void> => {
    if (host.instance === '') return;
    note(`register ${(await store.register({ ...host, aliveMs: 1000 * aMinute })).outcome}`);
  };
  const create = async (): Promise<void> => {
    const bus = random.chance(0.3);
    const job = rig.subject({
      tenant: random.pick(tenants) ?? 't1',
      topic: bus ? 'job.b' : 'job.a',
      lane: bus ? 'job.b' : random.chance(0.3) ? 'job.a|d' : 'job.a',
      pool: bus ? 'bus' : 'own',
      rank: ([0, 1, 2] as const)[random.below(3)] ?? 1,
      traceId: `trace${random.below(4)}`,
      maxRetries: random.below(3),
      timeoutMs: 5000 + random.below(20_000),
      deadlineMs: random.chance(0.3) ? 5000 + random.below(60_000) : 10 * aMinute,
      ...(random.chance(0.1) ? { payload: null, payloadExpected: random.chance(0.5) } : {}),
      ...(random.chance(0.3)
        ? { idempotency: { key: `key${random.below(3)}`, digest: `body${random.below(2)}` } }
        : {}),
    });
    const { outcome } = rig.one(await store.create([job.new]));
    note(`create ${outcome}`);
    if (outcome === 'created' || outcome === 'payload_missing') jobs.push(job);
  };
  const gate = async (of: Subject | undefined): Promise<void> => {
    if (of === undefined) return;
    const to = random.weighted({ SCHEDULED: 20, PENDING: 3, AWAITING_APPROVAL: 1, DENIED: 1, FAILED: 1 });
    // What needs a person goes on if one approved it.
    const asked = to === 'AWAITING_APPROVAL' || (to === 'SCHEDULED' && random.chance(0.1));
    const judged = {
      ...(asked ? { decision: 'REQUIRE_HUMAN' } : {}),
      policy: policy(),
      holdMs: random.below(1500),
      constraints: random.chance(0.2) ? '{"a":1}' : '',
    };
    const redactedKey = `ctx:${of.id}${random.pick([':r', '-r'])}`;
    const redacted =
      to === 'SCHEDULED' && !asked && of.lane.endsWith('|d') && random.chance(0.6) ? { redactedKey } : {};
    const sound = 'redactedKey' in redacted && (await rig.stateOf(of)) === 'PENDING';
    // The kernel writes it, or has written it before, or never does.
    if (sound && random.chance(0.6)) await rig.driver.write(of.tenant, redactedKey, `"redacted ${random.below(10)}"`);
    const other = !sound && random.chance(0.05) ? { digest: 'x' } : {};
    const [answer] = await store.gate([rig.gateOf(of, to, { ...judged, ...redacted, ...other })]);
    note(`gate ${answer?.outcome}`);
  };
  const claim = async (host: Host | undefined): Promise<readonly HandOut[]> => {
    if (host === undefined) return [];
    const [claimed] = await store.claim([{ ...host, n: 1 + random.below(3), policy: policy() }]);
    note(`claim ${claimed?.outcome}${claimed?.regate.length === 0 ? '' : ' regate'}`);
    for (const handOut of claimed?.jobs ?? []) {
      const job = jobs.find(({ id }) => id === handOut.id);
      if (job === undefined) throw new Error(`claimed ${handOut.id}, which nobody made`);
      held.push({ job: { ...job, handOut, worker: host.worker, instance: host.instance }, host });
    }
    return claimed?.jobs ?? [];
  };
  /** Mostly a young hand-out, sometimes any. */
  const someHeld = (): Held | undefined => (random.chance(0.7) ? random.pick(held.slice(-6)) : random.pick(held));
  const renew = async (host: Host | undefined): Promise<void> => {
    if (host === undefined) return;
    const own = held.filter((h) => h.host === host).slice(-8);
    const item = { ...host, leaseMs: 4000, aliveMs: 1000 * aMinute, jobs: own.map(({ job }) => rig.keyOf(job)) };
    const [answer] = await store.renew([item]);
    note(`renew ${answer?.outcome}`);
    for (const word of answer?.jobs ?? []) note(`renewed ${word}`);
  };
  const commit = async ({ job }: Held): Promise<void> => {
    const status = random.pick(statuses) ?? 'SUCCEEDED';
    const more = {
      retryable: random.chance(0.7),
      backoffMs: random.below(2) * random.below(3000),
      result: `{"by":"${job.handOut?.attempt}"}`,
    };
    note(`commit ${rig.one(await store.commit([rig.commitOf(job, status, more)])).outcome}`);
  };
  const foreign = async (job: Subject | undefined): Promise<void> => {
    if (job === undefined) return;
    const handedOut = held.some((one) => one.job.id === job.id);
    if (handedOut && random.chance(0.7))
      await rig.driver.write(job.tenant, `res:${job.id}`, `{"n":${random.below(100)}}`);
    const item = rig.foreignOf(job, random.pick(statuses), {
      policy: policy(),
      ...(random.chance(0.1) ? { resultKey: `res:${random.pick(jobs)?.id}` } : {}),
    });
    note(`foreign ${rig.one(await store.commitForeign([item])).outcome}`);
  };
  const apply = async (due: DueJob, now: number): Promise<void> => {
    const action = overdue(due, now, timeouts);
    note(`due ${due.state} ${action.do}`);
    const job = jobs.find(({ id }) => id === due.id);
    if (job === undefined) throw new Error(`${due.id} is due, and nobody made it`);
    if (action.do === 'judge') await gate(job);
    else if (action.do === 'announce') await store.announced([due]);
    else if (action.do === 'timeout') {
      const seen = { state: due.state, fence: due.fence };
      await store.end([rig.endOf(job, 'TIMEOUT', { seen, tenant: undefined })]);
    } else if (action.do === 'requeue') {
      const { state, why, delayMs } = action;
      const answer = rig.one(
        await store.requeue([{ id: due.id, tenant: due.tenant, seen: { state, fence: due.fence }, why, delayMs }]),
      );
      note(`requeue ${why} ${answer.outcome}`);
    }
  };
  const reconcile = async (limit: number): Promise<void> => {
    const due = await store.due(limit, 1000);
    for (const job of due.jobs) await apply(job, due.now);
  };
  const read = async (reader: JobStore): Promise<void> => {
    const tenant = random.pick(tenants) ?? 't1';
    const query = {
      tenant,
      limit: 1 + random.below(10),
      topic: undefined,
      updatedAfter: undefined,
      updatedBefore: undefined,
    };
    const state = random.chance(0.3) ? ('SUCCEEDED' as const) : undefined;
    const page = await reader.page({ ...query, cursor: undefined, state, traceId: undefined });
    await reader.page({ ...query, cursor: page.nextCursor, state, traceId: undefined });
    await reader.trace(`trace${random.below(4)}`, tenant);
    await reader.depths();
    const job = random.pick(jobs);
    if (job === undefined) return;
    await reader.view(job.id, random.chance(0.8) ? job.tenant : tenant);
    await reader.transitions(job.id, job.tenant);
    await reader.result(job.id, job.tenant);
    await reader.readOutput({ ...job, fence: '', at: 2 });
    await reader.look(jobs.slice(-5).map(({ id, tenant: own }) => ({ id, tenant: random.chance(0.8) ? own : tenant })));
    await reader.events(tenant, '', 1000);
    await reader.standing(
      tenant,
      jobs.slice(-5).map(({ id }) => ({ id, packet: true, path: random.chance(0.5) })),
    );
  };

  const actions: Readonly<Record<keyof typeof weights, () => Promise<unknown>>> = {
    create: () => (jobs.length < mostJobs ? create() : Promise.resolve()),
    again: async () => {
      const job = random.pick(jobs);
      if (job !== undefined) note(`again ${rig.one(await store.create([job.new])).outcome}`);
    },
    gate: () => gate(random.pick(jobs)),
    approve: async () => {
      const views = await Promise.all(jobs.map((job) => rig.view(job)));
      const waiting = jobs.filter((_, i) => views[i]?.state === 'AWAITING_APPROVAL');
      const job = random.pick(waiting.length > 0 ? waiting : jobs);
      if (job === undefined) return;
      const [answer] = await store.approve([rig.approveOf(job, random.chance(0.1) ? { digest: 'x' } : {})]);
      note(`approve ${answer?.outcome}`);
    },
    claim: () => claim(random.pick(hosts)),
    accept: async () => {
      const one = someHeld();
      if (one !== undefined) note(`accept ${rig.one(await store.accept([rig.acceptOf(one.job)])).outcome}`);
    },
    renew: () => renew(random.pick(hosts)),
    commit: async () => {
      const one = someHeld();
      if (one !== undefined) await commit(one);
    },
    foreign: () => foreign(random.pick(jobs.filter(({ pool }) => pool === 'bus'))),
    progress: async () => {
      const one = someHeld();
      if (one === undefined) return;
      const key = rig.keyOf(one.job);
      const percent = random.below(101);
      note(`progress ${(await store.progress([{ ...key, percent, message: 'm' }]))[0]}`);
      // Mostly it goes on where the text ends.
      const kept = await rig.raw.readOutput({ ...one.job, fence: key.fence, at: 0 });
      const end = kept?.fence === key.fence ? kept.next : 0;
      const at = percent < 80 ? end : percent % 7;
      note(`output ${(await store.output([{ ...key, at, text: 'x'.repeat(1 + (percent % 5)) }]))[0]}`);
    },
    artifact: async () => {
      const one = someHeld();
      const name = `a${random.below(2)}`;
      if (one !== undefined)
        note(
          `artifact ${(await store.artifact({ ...rig.keyOf(one.job), name, bytes: Uint8Array.of(1) })) !== undefined}`,
        );
    },
    stopped: async () => {
      const one = someHeld();
      if (one !== undefined) await store.stopped([{ ...rig.keyOf(one.job), worker: one.job.worker }]);
    },
    end: async () => {
      const job = random.pick(jobs);
      if (job === undefined) return;
      const to = random.pick(['CANCELLED', 'TIMEOUT', 'DENIED', 'FAILED'] as const) ?? 'CANCELLED';
      note(`end ${rig.one(await store.end([rig.endOf(job, to)])).outcome}`);
    },
    requeue: async () => {
      const one = someHeld();
      if (one === undefined) return;
      const state = random.pick(['SCHEDULED', 'DISPATCHED', 'DISPATCHED', 'RUNNING', 'RUNNING'] as const) ?? 'RUNNING';
      const why = random.chance(0.4) ? 'lost' : (random.pick(whys) ?? 'lost');
      const item = rig.requeueOf(one.job, state, why, random.below(2) * random.below(2000));
      note(`requeue ${why} ${rig.one(await store.requeue([item])).outcome}`);
    },
    reconcile: () => reconcile(1 + random.below(5)),
    announce: async () => {
      const job = random.pick(jobs);
      if (job !== undefined) note(`announced ${(await store.announced([job]))[0]?.state}`);
    },
    register: () => register(random.pick(hosts) ?? hosts[0]),
    silence: async () => {
      const host = random.pick(hosts);
      if (host !== undefined) await store.unregister(host.worker, host.instance);
    },
    policy: async () => {
      sequence++;
      return Promise.resolve();
    },
    time: async () => {
      rig.advance(random.chance(0.5) ? random.below(50) : random.below(3000));
      return Promise.resolve();
    },
    read: () => read(rig.raw),
  };

  return {
    reached,
    step: () => actions[random.weighted(weights)](),

    /** Honest workers and a reconciler, and no new jobs: everything ends and is announced. */
    async settle(): Promise<void> {
      for (const host of hosts) await register(host);
      const open = async (): Promise<boolean> => {
        const views = await Promise.all(jobs.map((job) => rig.view(job)));
        return views.some(({ state, id }) => !isEnd(state) || !rig.announced.has(id));
      };
      for (let round = 0; await open(); round++) {
        if (round > 100)
          throw new Error(`not settled: ${(await Promise.all(jobs.map((job) => rig.stateOf(job)))).join()}`);
        await reconcile(256);
        for (const host of hosts) {
          for (const { id } of await claim(host)) {
            const one = held.find(
              ({ job }) => job.id === id && job.handOut === held.findLast((h) => h.job.id === id)?.job.handOut,
            );
            if (one === undefined) continue;
            if (host.instance === '') await foreign(one.job);
            else {
              await store.accept([rig.acceptOf(one.job)]);
              await commit(one);
            }
          }
        }
        // What waits for a person ends at its deadline.
        rig.advance(round < 30 ? random.below(2000) : 30_000);
      }
      expect((await store.due(1000, 1000)).jobs).toEqual([]);
      expect(await store.depths()).toEqual([]);
      await read(rig.raw);
      // Each job ended once, by its events as by its record.
      for (const job of jobs) {
        const ends = rig.events.filter((event) => event.job === job.id && isEnd(event.state));
        expect(ends).toHaveLength(1);
      }
    },
  };
}
