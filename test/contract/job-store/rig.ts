// The stage for job store tests: a store whose every operation is followed by an audit of its books, a clock that stands still until
// it is told to move, and the way of a job to each of its states through the port alone.
import { CortexError } from '#core/errors.ts';
import type { JobEvent, JobView, NewJob, PolicyVersion } from '#core/jobs/job.ts';
import { createKeys, type Keys } from '#core/jobs/keys.ts';
import { pseudoPrefix } from '#core/jobs/lane.ts';
import type { EndState, JobState } from '#core/jobs/state.ts';
import type {
  Approve,
  Claim,
  Claimed,
  Commit,
  End,
  ForeignResult,
  Gate,
  HandOut,
  JobStore,
  Requeue,
} from '#core/jobs/store.ts';
import { systemIds } from '#core/system.ts';
import { audit } from '../../helpers/audit.ts';
import type { Books } from '../../helpers/books.ts';

export interface DriverOptions {
  readonly now: () => number;
  readonly onEvents: (events: readonly JobEvent[]) => void;
  readonly random: () => string;
  readonly keys: Keys;
}

/** One empty store, and what stands around it. */
export interface StoreDriver {
  readonly store: JobStore;
  /** The same store through another connection. */
  readonly other: JobStore;
  books(): Promise<Books>;
  /** All that is stored as one text, equal if and only if nothing changed; `coarse`: whether keys have an end, not when. */
  snapshot(coarse?: boolean): Promise<string>;
  /** What clients and workers that speak the bus alone do to keys by themselves; undefined removes. */
  write(tenant: string, key: string, value: string | undefined): Promise<void>;
  read(tenant: string, key: string): Promise<string | null>;
  /** Takes a job out of its tenant's list, as the trimming of old entries does. */
  unlist(tenant: string, id: string): Promise<void>;
}

export type MakeStore = (options: DriverOptions) => Promise<StoreDriver>;

export interface Spec {
  readonly id?: string;
  readonly tenant?: string;
  readonly topic?: string;
  readonly pool?: string;
  readonly lane?: string;
  readonly rank?: 0 | 1 | 2;
  readonly traceId?: string;
  readonly digest?: string;
  /** null for a job without a payload. */
  readonly payload?: string | null;
  readonly payloadExpected?: boolean;
  readonly deadlineMs?: number;
  readonly timeoutMs?: number;
  readonly maxRetries?: number;
  readonly constraints?: string;
  readonly idempotency?: { readonly key: string; readonly digest: string };
  readonly policy?: PolicyVersion;
  /** Handed to workers that speak the bus alone. */
  readonly foreign?: boolean;
}

/** A job of the test, with what is needed to move it on. */
export interface Subject {
  readonly id: string;
  readonly tenant: string;
  readonly pool: string;
  readonly lane: string;
  readonly worker: string;
  readonly instance: string;
  readonly new: NewJob;
  readonly spec: Spec;
  /** The last hand-out; undefined before the first. */
  handOut: HandOut | undefined;
}

export const policy: PolicyVersion = { sequence: 1, hash: 'h1' };
export const aMinute = 60_000;

export type Rig = Awaited<ReturnType<typeof createRig>>;

function decisionOf(to: Gate['to'], { constraints }: Spec): string {
  if (to === 'SCHEDULED') return constraints === undefined ? 'ALLOW' : 'ALLOW_WITH_CONSTRAINTS';
  return to === 'AWAITING_APPROVAL' ? 'REQUIRE_HUMAN' : 'DENY';
}

/** An empty stage. */
export async function createRig(make: MakeStore, partitions: number) {
  let time = 1_800_000_000_000;
  let count = 0;
  let randoms = 0;
  const keys = createKeys(partitions);
  const ids = systemIds();
  const events: JobEvent[] = [];
  const announced = new Set<string>();
  const capacity = new Map<string, number>();
  const driver = await make({
    keys,
    now: () => time,
    onEvents: (news) => void events.push(...news),
    random: () => (++randoms).toString(16).padStart(16, '0'),
  });

  const check = async (after: string): Promise<void> => {
    const wrong = audit(await driver.books(), { now: time, announced, capacity, pushMs: 2000 });
    if (wrong.length > 0) throw new Error(`after ${after}:\n${wrong.slice(0, 20).join('\n')}`);
  };
  const audited = (store: JobStore): JobStore =>
    new Proxy(store, {
      get(target, name, receiver): unknown {
        const method: unknown = Reflect.get(target, name, receiver);
        if (typeof method !== 'function') return method;
        return async (...args: readonly unknown[]): Promise<unknown> => {
          const answer: unknown = await Reflect.apply(method, target, args);
          if (name === 'announced') for (const { id } of args[0] as readonly { id: string }[]) await note(id);
          await check(String(name));
          return answer;
        };
      },
    });
  const note = async (id: string): Promise<void> => {
    const view = await driver.store.view(id, undefined);
    if (view !== undefined && view.endedAt > 0) announced.add(id);
  };
  const store = audited(driver.store);

  const newJob = (spec: Spec = {}): NewJob => {
    const tenant = spec.tenant ?? 't1';
    const id = spec.id ?? ids.job(keys.ofTenant(tenant));
    return {
      id,
      tenant,
      topic: spec.topic ?? 'job.echo',
      traceId: spec.traceId ?? `trace-${id}`,
      principal: 'someone',
      parentId: '',
      rank: spec.rank ?? 1,
      digest: spec.digest ?? `digest-${id}`.slice(-22),
      packet: new TextEncoder().encode(`packet of ${id}`),
      payload: spec.payload === null ? undefined : (spec.payload ?? '{"prompt":"hi"}'),
      ...(spec.payloadExpected === undefined ? {} : { payloadExpected: spec.payloadExpected }),
      deadlineMs: spec.deadlineMs ?? 24 * 60 * aMinute,
      ...(spec.idempotency === undefined ? {} : { idempotency: spec.idempotency }),
    };
  };

  const subject = (spec: Spec = {}): Subject => {
    const made = newJob(spec);
    count++;
    // A pool and a worker of its own, so that it is this job that the worker gets.
    const pool = spec.pool ?? `pool${count}`;
    return {
      id: made.id,
      tenant: made.tenant,
      pool,
      lane: spec.lane ?? made.topic,
      worker: spec.foreign === true ? `${pseudoPrefix}${made.topic}.${pool}` : `worker-${pool}`,
      instance: spec.foreign === true ? '' : `instance-${pool}`,
      new: made,
      spec,
      handOut: undefined,
    };
  };

  const gateOf = (job: Subject, to: Gate['to'] = 'SCHEDULED', more: Partial<Gate> = {}): Gate => ({
    id: job.id,
    tenant: job.tenant,
    digest: job.new.digest,
    to,
    decision: decisionOf(to, job.spec),
    reason: to === 'SCHEDULED' ? '' : 'for a reason',
    rule: 'rule1',
    policy: job.spec.policy ?? policy,
    constraints: job.spec.constraints ?? '',
    pool: job.pool,
    lane: job.lane,
    timeoutMs: job.spec.timeoutMs ?? aMinute,
    maxRetries: job.spec.maxRetries ?? 0,
    holdMs: 1000,
    errorCode: to === 'DENIED' || to === 'FAILED' ? 'gate_error' : '',
    errorMessage: '',
    ...more,
  });

  const approveOf = (job: Subject, more: Partial<Approve> = {}): Approve => ({
    ...{ id: job.id, tenant: job.tenant, digest: job.new.digest, principal: 'a person', ...more },
  });

  const claimOf = (job: Subject, more: Partial<Claim> = {}): Claim => ({
    pool: job.pool,
    worker: job.worker,
    instance: job.instance,
    n: 1,
    capacity: 1,
    lanes: [job.lane],
    acceptMs: job.spec.foreign === true ? 0 : 2000,
    policy: job.spec.policy ?? policy,
    ...more,
  });

  const fenceOf = (job: Subject) => {
    if (job.handOut === undefined) return { fence: '0', attempt: '' };
    return { fence: job.handOut.fence, attempt: job.handOut.attempt };
  };
  const keyOf = (job: Subject) => ({ id: job.id, tenant: job.tenant, ...fenceOf(job) });
  const acceptOf = (job: Subject) => ({ ...keyOf(job), worker: job.worker, instance: job.instance, leaseMs: 4000 });
  const commitOf = (job: Subject, status: EndState = 'SUCCEEDED', more: Partial<Commit> = {}): Commit => ({
    ...keyOf(job),
    worker: job.worker,
    status,
    retryable: false,
    backoffMs: 0,
    result: status === 'SUCCEEDED' ? '{"response":"ho"}' : undefined,
    execMs: 12,
    errorCode: status === 'SUCCEEDED' ? '' : 'handler_error',
    errorMessage: status === 'SUCCEEDED' ? '' : 'it went | wrong',
    ...more,
  });
  const foreignOf = (
    job: Subject,
    status: EndState = 'SUCCEEDED',
    more: Partial<ForeignResult> = {},
  ): ForeignResult => ({
    id: job.id,
    status,
    resultKey: status === 'SUCCEEDED' ? `res:${job.id}` : '',
    artifactKeys: [],
    workerName: 'cap-worker',
    execMs: 7,
    errorCode: status === 'SUCCEEDED' ? '' : 'cap_error',
    errorMessage: '',
    policy: job.spec.policy ?? policy,
    ...more,
  });
  const endOf = (job: Subject, to: EndState, more: Partial<End> = {}): End => ({
    ...{ id: job.id, tenant: job.tenant, to, seen: undefined },
    ...{ errorCode: to.toLowerCase(), errorMessage: 'from outside', ...more },
  });
  const requeueOf = (job: Subject, state: Requeue['seen']['state'], why: Requeue['why'], delayMs = 0): Requeue => ({
    ...{ id: job.id, tenant: job.tenant, seen: { state, fence: fenceOf(job).fence }, why, delayMs },
  });

  const one = <T>(answers: readonly T[]): T => {
    const [answer] = answers;
    if (answer === undefined || answers.length !== 1) throw new Error(`${answers.length} answers for one item`);
    return answer;
  };

  const rig = {
    keys,
    events,
    capacity,
    announced,
    /** Every operation is followed by an audit. */
    store,
    raw: driver.store,
    other: driver.other,
    driver,
    one,
    newJob,
    subject,
    gateOf,
    approveOf,
    claimOf,
    keyOf,
    acceptOf,
    commitOf,
    foreignOf,
    endOf,
    requeueOf,
    now: (): number => time,
    advance(ms: number): void {
      time += ms;
    },
    audit: () => check('the test'),
    snapshot: (coarse?: boolean) => driver.snapshot(coarse),

    async view(job: { readonly id: string; readonly tenant: string }): Promise<JobView> {
      const view = await driver.store.view(job.id, job.tenant);
      if (view === undefined) throw new CortexError('not_found', `no job ${job.id}`);
      return view;
    },
    async stateOf(job: Subject): Promise<JobState | 'none'> {
      return (await driver.store.view(job.id, job.tenant))?.state ?? 'none';
    },
    /** Makes the job's worker known. */
    async registered(job: Subject, slots = 1): Promise<void> {
      capacity.set(job.worker, slots);
      if (job.instance === '') return;
      const { worker, instance, pool } = job;
      const answer = await driver.store.register({ worker, instance, pool, capacity: slots, aliveMs: 10 * aMinute });
      if (answer.outcome !== 'ok') throw new Error(`${worker} is ${answer.outcome}`);
    },
    async pending(spec: Spec = {}): Promise<Subject> {
      const job = subject(spec);
      const { outcome } = one(await driver.store.create([job.new]));
      if (outcome !== 'created') throw new Error(`not created: ${outcome}`);
      return job;
    },
    async scheduled(spec: Spec = {}): Promise<Subject> {
      const job = await rig.pending(spec);
      await rig.schedule(job);
      return job;
    },
    async schedule(job: Subject): Promise<void> {
      const { outcome } = one(await driver.store.gate([gateOf(job)]));
      if (outcome !== 'applied') throw new Error(`not gated: ${outcome}`);
    },
    async dispatched(spec: Spec = {}): Promise<Subject> {
      const job = await rig.scheduled(spec);
      await rig.registered(job);
      await rig.claim(job);
      return job;
    },
    /** Claims this job for its worker and notes the hand-out. */
    async claim(job: Subject, more: Partial<Claim> = {}): Promise<Claimed> {
      const claimed = one(await driver.store.claim([claimOf(job, more)]));
      const [handOut] = claimed.jobs;
      if (handOut?.id !== job.id)
        throw new Error(`claimed ${handOut?.id ?? 'nothing'} (${claimed.outcome}), not ${job.id}`);
      job.handOut = handOut;
      return claimed;
    },
    async accept(job: Subject): Promise<void> {
      const { outcome } = one(await driver.store.accept([acceptOf(job)]));
      if (outcome !== 'run') throw new Error('not accepted');
    },
    async running(spec: Spec = {}): Promise<Subject> {
      const job = await rig.dispatched(spec);
      await rig.accept(job);
      return job;
    },
    /** A job in a state, on the shortest way there. */
    async in(state: JobState | 'none', spec: Spec = {}): Promise<Subject> {
      switch (state) {
        case 'none':
          return subject(spec);
        case 'PENDING':
          return rig.pending(spec);
        case 'AWAITING_APPROVAL':
        case 'DENIED': {
          const job = await rig.pending(spec);
          await driver.store.gate([gateOf(job, state)]);
          return job;
        }
        case 'SCHEDULED':
          return rig.scheduled(spec);
        case 'DISPATCHED':
          return rig.dispatched(spec);
        case 'RUNNING':
          return rig.running(spec);
        case 'SUCCEEDED':
        case 'FAILED': {
          const job = await rig.running(spec);
          await driver.store.commit([commitOf(job, state)]);
          return job;
        }
        case 'CANCELLED':
        case 'TIMEOUT': {
          const job = await rig.running(spec);
          await driver.store.end([endOf(job, state)]);
          return job;
        }
      }
    },
  };
  return rig;
}
