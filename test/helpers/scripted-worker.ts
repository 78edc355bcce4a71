// Workers that do as they are told, also what no good worker does: they speak store and bus directly, and nothing of the real host.
//   scriptedWorker   takes hand-outs on worker.<id>.jobs, with register, accept, renew, commit
//   capWorker        speaks the bus alone: takes packets on a topic, answers with results
import type { Bus, Delivery, Subscription } from '#core/bus/bus.ts';
import type { Committed, JobStore } from '#core/jobs/store.ts';
import { endMessage } from '#core/protocol/end.ts';
import { decodePacket, encodePacket, heartbeatPacket, jobResultPacket } from '#core/protocol/envelope.ts';
import { type HandOutHeaders, readHandOut } from '#core/protocol/hand-out.ts';
import { subjects, workerJobs } from '#core/protocol/subjects.ts';
import { unwrap } from '#core/result.ts';
import type { Clock } from '#core/system.ts';
import { type JobRequest, JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';

/** What a worker does with one hand-out. */
export type Deed =
  /** Accepts, commits SUCCEEDED, tells. */
  | 'succeed'
  /** The same, and nobody hears of it. */
  | 'mute'
  /** The same, twice: two commits, two messages. */
  | 'twice'
  /** Accepts, commits FAILED; `retry`: and says that another attempt may help. */
  | 'fail'
  | 'retry'
  /** Never accepts. */
  | 'ignore'
  /** Says that it has no room. */
  | 'busy'
  /** Accepts, and is not heard of again until `late` is called. */
  | 'vanish'
  /** Accepts and works on until `finish` is called. */
  | 'hold';

export interface Held extends HandOutHeaders {
  readonly id: string;
  readonly request: JobRequest;
}

export interface ScriptedWorkerOptions {
  readonly id: string;
  readonly pool?: string;
  readonly topics?: readonly string[];
  readonly parallel?: number;
  readonly capabilities?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly region?: string;
  /** `nth`: how often this worker has seen the job, from 1. Default: succeed. */
  readonly deed?: (job: Held, nth: number) => Deed;
}

export interface ScriptedWorker {
  readonly id: string;
  /** Everything handed to it, in order. */
  readonly got: readonly Held[];
  /** Ids that it accepted, once for each time. */
  readonly ran: readonly string[];
  /** What it was given to run, in the same order. */
  readonly payloads: readonly (string | null)[];
  /** Ids whose success was committed. */
  readonly committed: readonly string[];
  /** Jobs it vanished with. */
  readonly vanished: ReadonlyMap<string, Held>;
  /** Jobs it works on. */
  readonly holds: ReadonlyMap<string, Held>;
  deed: (job: Held, nth: number) => Deed;
  /** Capacity as the store is told with the next renewal, and as heartbeats say it. */
  capacity: { store: number; told: number };
  /** Percent, in heartbeats. */
  load: { cpu: number; gpu: number };
  beat(): void;
  renew(): Promise<void>;
  /** Ends a job it holds. */
  finish(id: string): Promise<void>;
  /** Commits what it vanished with, whatever has become of it. */
  late(id: string): Promise<Committed | undefined>;
  /** Gone without a word. */
  die(): Promise<void>;
}

interface Ports {
  readonly bus: Bus;
  readonly store: JobStore;
  readonly clock: Clock;
}

const leaseMs = 4000;

/** Registers, listens, beats every five seconds and renews every second. */
export async function scriptedWorker(
  options: ScriptedWorkerOptions,
  { bus, store, clock }: Ports,
): Promise<ScriptedWorker> {
  const { id, pool = 'echo', parallel = 4 } = options;
  const instance = `i-${id}`;
  const got: Held[] = [];
  const ran: string[] = [];
  const payloads: (string | null)[] = [];
  const committed: string[] = [];
  const holds = new Map<string, Held>();
  const away = new Map<string, Held>();
  const seen = new Map<string, number>();
  let dead = false;
  let active = 0;

  const key = ({ tenant, fence, attempt, ...job }: Held) => ({ id: job.id, tenant, fence, attempt });
  const commit = async (job: Held, status: 'SUCCEEDED' | 'FAILED', retryable = false, tell = true) => {
    const result = status === 'SUCCEEDED' ? JSON.stringify({ by: id, fence: job.fence }) : undefined;
    const errorCode = status === 'FAILED' ? 'internal' : '';
    const rest = { retryable, backoffMs: 0, result, execMs: 1, errorCode, errorMessage: errorCode };
    const [answer] = await store.commit([{ ...key(job), worker: id, status, ...rest }]);
    if (answer?.outcome === 'committed' && status === 'SUCCEEDED') committed.push(job.id);
    if (tell && answer?.end !== undefined) bus.post(endMessage(answer.end, id, clock.now()));
    return answer;
  };
  const accept = async (job: Held): Promise<boolean> => {
    const [answer] = await store.accept([{ ...key(job), worker: id, instance, leaseMs }]);
    if (answer?.outcome !== 'run') return false;
    ran.push(job.id);
    payloads.push(answer.payload);
    return true;
  };
  const work = async (job: Held, deed: Deed): Promise<void> => {
    if (deed === 'ignore') return;
    if (deed === 'busy') {
      const seenAs = { state: 'DISPATCHED', fence: job.fence } as const;
      await store.requeue([{ id: job.id, tenant: job.tenant, seen: seenAs, why: 'busy', delayMs: 100 }]);
      return;
    }
    if (!(await accept(job))) return;
    switch (deed) {
      case 'vanish':
        away.set(job.id, job);
        return;
      case 'hold':
        active++;
        holds.set(job.id, job);
        return;
      case 'fail':
      case 'retry':
        await commit(job, 'FAILED', deed === 'retry');
        return;
      case 'twice':
        await commit(job, 'SUCCEEDED');
        await commit(job, 'SUCCEEDED');
        return;
      default:
        await commit(job, 'SUCCEEDED', false, deed !== 'mute');
    }
  };

  await store.register({ worker: id, instance, pool, capacity: parallel, aliveMs: leaseMs });
  const take = (message: Delivery): void => {
    if (dead) return;
    const headers = unwrap(readHandOut((name) => message.header(name)));
    const packet = unwrap(decodePacket(message.data));
    if (packet.payload.case !== 'jobRequest') throw new Error(`handed a ${packet.payload.case}`);
    const request = packet.payload.value;
    const job: Held = { ...headers, id: request.jobId, request };
    const nth = (seen.get(job.id) ?? 0) + 1;
    seen.set(job.id, nth);
    got.push(job);
    work(job, worker.deed(job, nth)).catch(failLater);
  };
  const subscription: Subscription = await bus.subscribe(workerJobs(id), take);
  const worker: ScriptedWorker = {
    id,
    got,
    ran,
    payloads,
    committed,
    vanished: away,
    holds,
    deed: options.deed ?? (() => 'succeed'),
    capacity: { store: parallel, told: parallel },
    load: { cpu: 0, gpu: 0 },
    beat() {
      if (dead) return;
      const labels = {
        'cortex.dispatch': 'direct',
        'cortex.instance': instance,
        ...(options.topics !== undefined && { 'cortex.topics': options.topics.join(',') }),
        ...options.labels,
      };
      const beat = {
        ...{ workerId: id, pool, labels, activeJobs: active, maxParallelJobs: worker.capacity.told, type: 'cpu' },
        ...{ region: options.region ?? 'local', capabilities: [...(options.capabilities ?? [])] },
        ...{ cpuLoad: worker.load.cpu, gpuUtilization: worker.load.gpu },
      };
      const packet = heartbeatPacket({ traceId: `hb-${id}`, senderId: id, atMs: clock.now() }, beat);
      bus.post({ subject: subjects.heartbeat, data: encodePacket(packet) });
    },
    async renew() {
      if (dead) return;
      const held = Array.from(holds.values());
      const renewal = { worker: id, instance, pool, capacity: worker.capacity.store, leaseMs, aliveMs: leaseMs };
      const [answer] = await store.renew([{ ...renewal, jobs: held.map(key) }]);
      for (const [i, job] of held.entries()) {
        if (answer?.jobs[i] === 'keep') continue;
        if (holds.delete(job.id)) active--;
        await store.stopped([{ ...key(job), worker: id }]);
      }
    },
    async finish(job) {
      const held = holds.get(job);
      if (held === undefined) throw new Error(`${id} does not hold ${job}`);
      holds.delete(job);
      active--;
      await commit(held, 'SUCCEEDED');
    },
    late(job) {
      const held = away.get(job);
      if (held === undefined) throw new Error(`${id} did not vanish with ${job}`);
      return commit(held, 'SUCCEEDED');
    },
    async die() {
      dead = true;
      await subscription.close();
    },
  };
  const every = (ms: number, run: () => void): void => {
    clock.after(ms, () => {
      if (dead) return;
      run();
      every(ms, run);
    });
  };
  every(1000, () => {
    worker.renew().catch(failLater);
  });
  every(5000, () => worker.beat());
  worker.beat();
  return worker;
}

export interface CapWorkerOptions {
  readonly id: string;
  readonly topic: string;
  readonly pool?: string;
  readonly parallel?: number;
  /** Sends no heartbeats. */
  readonly silent?: boolean;
  /** What it answers to each job; default SUCCEEDED. An empty list: nothing. */
  readonly answers?: (request: JobRequest) => readonly CapAnswer[];
}

export interface CapAnswer {
  readonly status: JobStatus;
  readonly resultPtr?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly executionMs?: bigint;
  /** Default: its own. */
  readonly workerId?: string;
}

export interface CapWorker {
  readonly got: readonly JobRequest[];
  answers: (request: JobRequest) => readonly CapAnswer[];
  beat(): void;
  say(jobId: string, answer: CapAnswer): void;
  die(): Promise<void>;
}

export async function capWorker(options: CapWorkerOptions, { bus, clock }: Omit<Ports, 'store'>): Promise<CapWorker> {
  const { id, topic, pool = 'echo', parallel = 4 } = options;
  const got: JobRequest[] = [];
  let dead = false;
  const subscription = await bus.subscribe(
    topic,
    ({ data }) => {
      const packet = unwrap(decodePacket(data));
      if (packet.payload.case !== 'jobRequest') throw new Error(`handed a ${packet.payload.case}`);
      const request = packet.payload.value;
      got.push(request);
      for (const answer of worker.answers(request)) worker.say(request.jobId, answer);
    },
    { queue: `workers-${pool}` },
  );
  const worker: CapWorker = {
    got,
    answers: options.answers ?? (() => [{ status: JobStatus.SUCCEEDED }]),
    beat() {
      if (dead || options.silent === true) return;
      // As CAP's SDKs send it: no trace id, no time of its own, no labels.
      const packet = heartbeatPacket(
        { traceId: '', senderId: id, atMs: 0 },
        { workerId: id, pool, maxParallelJobs: parallel },
      );
      bus.post({ subject: subjects.heartbeat, data: encodePacket(packet) });
    },
    say(jobId, answer) {
      const packet = jobResultPacket(
        { traceId: 't', senderId: id, atMs: clock.now() },
        { jobId, workerId: id, executionMs: 1n, ...answer },
      );
      bus.post({ subject: subjects.result, data: encodePacket(packet) });
    },
    async die() {
      dead = true;
      await subscription.close();
    },
  };
  const every = (ms: number): void => {
    clock.after(ms, () => {
      if (dead) return;
      worker.beat();
      every(ms);
    });
  };
  every(5000);
  worker.beat();
  return worker;
}

function failLater(error: unknown): void {
  // The stores of workers do not go away in these tests; whatever fails here must be seen.
  setImmediate(() => {
    throw error;
  });
}
