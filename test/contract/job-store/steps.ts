// Every operation of the port that leads from one state to another, as data: where it leads, and from where it may. Suites try each
// of them in each state of the table, twice, and at once.
import { type EndState, isEnd, type JobState, sources, states } from '#core/jobs/state.ts';
import type { Requeue } from '#core/jobs/store.ts';
import type { Rig, Spec, Subject } from './rig.ts';

export interface Step {
  readonly name: string;
  readonly to: JobState;
  /** Where it happens; everywhere else it is refused. */
  readonly from: readonly (JobState | 'none')[];
  readonly spec?: Spec;
  /** Answers whether the store said that it happened (or had happened already). */
  run(rig: Rig, job: Subject, from: JobState | 'none'): Promise<boolean>;
  /** What has to go before, when the way to the state is not enough. */
  readonly losses?: number;
}

const held: readonly JobState[] = ['DISPATCHED', 'RUNNING'];
const ends = states.filter(isEnd);
const seenAs = (from: JobState | 'none'): Requeue['seen']['state'] => from as Requeue['seen']['state'];

export const steps: readonly Step[] = [
  {
    name: 'create',
    to: 'PENDING',
    from: ['none'],
    run: async (rig, job) => rig.one(await rig.store.create([job.new])).outcome === 'created',
  },
  {
    name: 'create with another body',
    to: 'PENDING',
    from: ['none'],
    run: async (rig, job) => rig.one(await rig.store.create([{ ...job.new, digest: 'another' }])).outcome === 'created',
  },
  {
    name: 'claim under a newer policy',
    to: 'PENDING',
    from: ['SCHEDULED'],
    run: async (rig, job) => {
      const claimed = rig.one(await rig.store.claim([rig.claimOf(job, { policy: { sequence: 2, hash: 'h2' } })]));
      return claimed.regate.some(({ id }) => id === job.id);
    },
  },
  ...(['SCHEDULED', 'AWAITING_APPROVAL', 'DENIED', 'FAILED'] as const).map(
    (to): Step => ({
      name: `gate to ${to}`,
      to,
      from: ['PENDING'],
      run: async (rig, job) => rig.one(await rig.store.gate([rig.gateOf(job, to)])).outcome === 'applied',
    }),
  ),
  {
    name: 'gate of another body',
    to: 'SCHEDULED',
    from: [],
    run: async (rig, job) =>
      rig.one(await rig.store.gate([rig.gateOf(job, 'SCHEDULED', { digest: 'another' })])).outcome === 'applied',
  },
  {
    name: 'gate to SCHEDULED of what needs a person',
    to: 'SCHEDULED',
    from: [],
    run: async (rig, job) =>
      rig.one(await rig.store.gate([rig.gateOf(job, 'SCHEDULED', { decision: 'REQUIRE_HUMAN' })])).outcome ===
      'applied',
  },
  {
    name: 'approve',
    to: 'PENDING',
    from: ['AWAITING_APPROVAL'],
    run: async (rig, job) => rig.one(await rig.store.approve([rig.approveOf(job)])).outcome === 'approved',
  },
  ...([{ digest: 'another' }, { tenant: 'somebody-else' }] as const).map(
    (more): Step => ({
      name: `approve with another ${Object.keys(more).join()}`,
      to: 'PENDING',
      from: [],
      run: async (rig, job) => rig.one(await rig.store.approve([rig.approveOf(job, more)])).outcome === 'approved',
    }),
  ),
  {
    name: 'claim',
    to: 'DISPATCHED',
    from: ['SCHEDULED'],
    run: async (rig, job) => {
      const [handOut] = rig.one(await rig.store.claim([rig.claimOf(job)])).jobs;
      job.handOut = handOut ?? job.handOut;
      return handOut?.id === job.id;
    },
  },
  {
    name: 'accept',
    to: 'RUNNING',
    from: ['DISPATCHED'],
    run: async (rig, job) => rig.one(await rig.store.accept([rig.acceptOf(job)])).outcome === 'run',
  },
  ...(['unaccepted', 'busy', 'lost', 'drained', 'no_responders'] as const).map(
    (why): Step => ({
      name: `requeue ${why}`,
      to: 'SCHEDULED',
      from: held,
      run: async (rig, job, from) => {
        const { outcome } = rig.one(await rig.store.requeue([rig.requeueOf(job, seenAs(from), why)]));
        return outcome === 'queued' || outcome === 'failed';
      },
    }),
  ),
  {
    name: 'requeue with a delay',
    to: 'SCHEDULED',
    from: held,
    run: async (rig, job, from) =>
      rig.one(await rig.store.requeue([rig.requeueOf(job, seenAs(from), 'no_responders', 1000)])).outcome === 'delayed',
  },
  {
    name: 'requeue ready',
    to: 'SCHEDULED',
    from: [],
    run: async (rig, job, from) =>
      rig.one(await rig.store.requeue([rig.requeueOf(job, seenAs(from), 'ready')])).outcome === 'queued',
  },
  {
    name: 'requeue with another fence',
    to: 'SCHEDULED',
    from: [],
    run: async (rig, job, from) => {
      const item = rig.requeueOf(job, seenAs(from), 'lost');
      const { outcome } = rig.one(await rig.store.requeue([{ ...item, seen: { ...item.seen, fence: '17' } }]));
      return outcome === 'queued';
    },
  },
  {
    name: 'requeue lost for the fourth time',
    to: 'FAILED',
    from: held,
    losses: 3,
    run: async (rig, job, from) =>
      rig.one(await rig.store.requeue([rig.requeueOf(job, seenAs(from), 'lost')])).outcome === 'failed',
  },
  {
    name: 'commit of a failure with a retry left',
    to: 'SCHEDULED',
    from: held,
    spec: { maxRetries: 1 },
    run: async (rig, job) => {
      const item = rig.commitOf(job, 'FAILED', { retryable: true, backoffMs: 500 });
      return rig.one(await rig.store.commit([item])).outcome === 'retry';
    },
  },
  ...ends.map(
    (to: EndState): Step => ({
      name: `commit ${to}`,
      to,
      from: held,
      run: async (rig, job) => rig.one(await rig.store.commit([rig.commitOf(job, to)])).outcome === 'committed',
    }),
  ),
  ...ends.map(
    (to: EndState): Step => ({
      name: `foreign ${to}`,
      to,
      from: held,
      spec: { foreign: true },
      run: async (rig, job) => rig.one(await rig.store.commitForeign([rig.foreignOf(job, to)])).outcome === 'committed',
    }),
  ),
  {
    name: 'foreign failure with a retry left',
    to: 'SCHEDULED',
    from: held,
    spec: { foreign: true, maxRetries: 1 },
    run: async (rig, job) => rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'FAILED')])).outcome === 'retry',
  },
  {
    name: 'foreign result for a host of ours',
    to: 'SUCCEEDED',
    from: [],
    run: async (rig, job) => rig.one(await rig.store.commitForeign([rig.foreignOf(job)])).outcome === 'committed',
  },
  ...ends.map(
    (to: EndState): Step => ({
      name: `end ${to}`,
      to,
      from: sources(to),
      run: async (rig, job) => {
        const { outcome } = rig.one(await rig.store.end([rig.endOf(job, to)]));
        return outcome === 'ended';
      },
    }),
  ),
  ...ends.map(
    (to: EndState): Step => ({
      name: `end ${to} as seen`,
      to,
      from: sources(to),
      run: async (rig, job, from) => {
        const seen = { state: from === 'none' ? 'PENDING' : from, fence: rig.keyOf(job).fence } as const;
        return rig.one(await rig.store.end([rig.endOf(job, to, { seen })])).outcome === 'ended';
      },
    }),
  ),
  {
    name: 'end as seen otherwise',
    to: 'TIMEOUT',
    from: [],
    run: async (rig, job, from) => {
      const seen = { state: from === 'RUNNING' ? 'DISPATCHED' : 'RUNNING', fence: rig.keyOf(job).fence } as const;
      return rig.one(await rig.store.end([rig.endOf(job, 'TIMEOUT', { seen })])).outcome === 'ended';
    },
  },
  {
    name: 'end by another tenant',
    to: 'CANCELLED',
    from: [],
    run: async (rig, job) =>
      rig.one(await rig.store.end([rig.endOf(job, 'CANCELLED', { tenant: 'somebody-else' })])).outcome === 'ended',
  },
];

/** Brings a job to where the step is tried. */
export async function bring(rig: Rig, step: Step, from: JobState | 'none'): Promise<Subject> {
  const job = await rig.in(from, step.spec);
  await rig.registered(job);
  if (step.losses === undefined || (from !== 'DISPATCHED' && from !== 'RUNNING')) return job;
  for (let i = 0; i < step.losses; i++) {
    const { outcome } = rig.one(await rig.raw.requeue([rig.requeueOf(job, i === 0 ? from : 'DISPATCHED', 'lost')]));
    if (outcome !== 'queued') throw new Error(`loss ${i + 1}: ${outcome}`);
    await rig.claim(job);
  }
  if (from === 'RUNNING') await rig.accept(job);
  return job;
}
