// The twin's workers: claim, renew, register, unregister. A worker lives as long as it renews; its slots are leases.
import { pseudoPrefix } from './lane.ts';
import { idleMs } from './scripts/claim.ts';
import { stopReason } from './checks.ts';
import { type Memory, move, recordOf, slotsOf, type WorkerRecord } from './memory-state.ts';
import { requeueJob } from './memory-lifecycle.ts';
import type {
  Claim,
  Claimed,
  HandOut,
  PendingJob,
  Registered,
  Registration,
  Renew,
  RenewJob,
  Renewed,
} from './store.ts';

/** Jobs looked at beyond those asked for, and jobs handed out, by one claim at most. */
const spare = 64;
const mostPerClaim = 1000;

function aliveWorker(memory: Memory, id: string): WorkerRecord | undefined {
  const worker = memory.workers.get(id);
  if (worker === undefined || worker.aliveUntil > memory.options.now()) return worker;
  memory.workers.delete(id);
  return undefined;
}

function note(memory: Memory, { worker, instance, capacity, pool, aliveMs }: Registration): void {
  memory.workers.set(worker, { instance, capacity, pool, aliveUntil: memory.options.now() + aliveMs });
}

function dropExpired(slots: Map<string, number>, now: number): void {
  for (const [id, until] of slots) if (until <= now) slots.delete(id);
}

export function claimJobs(memory: Memory, item: Claim): Claimed {
  const now = memory.options.now();
  const attemptId = memory.options.random();
  const slots = slotsOf(memory, item.worker);
  let { capacity } = item;
  let outcome: Claimed['outcome'] = 'ok';
  if (item.instance === '') {
    dropExpired(slots, now);
    if (!item.worker.startsWith(pseudoPrefix)) outcome = 'gone';
  } else {
    const worker = aliveWorker(memory, item.worker);
    if (worker?.instance === item.instance) ({ capacity } = worker);
    else outcome = 'gone';
  }
  const used = Array.from(slots.values()).filter((until) => until > now).length;
  const jobs: HandOut[] = [];
  const regate: PendingJob[] = [];
  const hand = (id: string): number | undefined => {
    const record = recordOf(memory, id);
    if (record?.state !== 'SCHEDULED' || record.packet === undefined) return undefined;
    const { tenant, digest, principal, packet, policy, topic, traceId, constraints, timeoutMs, deadlineAt } = record;
    record.queued = false;
    if (deadlineAt <= now) {
      memory.due.set(id, now);
      return undefined;
    }
    if (policy === undefined || (policy.hash !== item.policy.hash && policy.sequence < item.policy.sequence)) {
      record.decision = '';
      record.reason = 'policy changed';
      memory.due.set(id, now + 1000);
      move(memory, record, 'PENDING');
      regate.push({ id, tenant, digest, principal, packet });
      return undefined;
    }
    record.fence = Math.max(record.fence + 1, now);
    record.attempt = `${attemptId}${jobs.length}`;
    record.worker = item.worker;
    record.instance = item.instance;
    record.artifactKeys = [];
    if (record.firstHandOutAt === 0 || now - record.queuedAt > idleMs) record.firstHandOutAt = now;
    if (item.acceptMs === 0) record.openHandOuts++;
    const until = now + (item.acceptMs > 0 ? item.acceptMs : timeoutMs);
    slots.set(id, until);
    memory.due.set(id, Math.min(until, deadlineAt));
    move(memory, record, 'DISPATCHED');
    const { createdAt, queuedAt, attempt } = record;
    const fence = String(record.fence);
    jobs.push({
      ...{
        id,
        tenant,
        topic,
        traceId,
        packet,
        fence,
        attempt,
        constraints,
        timeoutMs,
        deadlineAt,
        createdAt,
        queuedAt,
      },
      claimedAt: now,
    });
    return record.cost / (item.weights?.[tenant] ?? 1);
  };
  const n = Math.min(item.n, capacity - used, mostPerClaim);
  if (outcome === 'ok' && n > 0) memory.queue.serve(item.pool, item.lanes, n, n + spare, hand);
  return { outcome, used: used + jobs.length, capacity, jobs, regate };
}

export function renewJobs(memory: Memory, item: Renew): Renewed {
  const now = memory.options.now();
  const holder = aliveWorker(memory, item.worker);
  if (item.instance !== '' && holder !== undefined && holder.instance !== item.instance) {
    return { outcome: 'replaced', jobs: item.jobs.map(() => 'lost') };
  }
  if (item.instance !== '') note(memory, item);
  const slots = slotsOf(memory, item.worker);
  dropExpired(slots, now);
  const renewOne = ({ id, fence, attempt }: RenewJob): Renewed['jobs'][number] => {
    const record = recordOf(memory, id);
    const current = record?.state === 'RUNNING' && String(record.fence) === fence && record.attempt === attempt;
    if (record === undefined || !current || !slots.has(id)) return stopReason(record?.state);
    slots.set(id, now + item.leaseMs);
    memory.due.set(id, Math.min(now + item.leaseMs, record.runDeadlineAt, record.deadlineAt));
    return 'keep';
  };
  return { outcome: 'ok', jobs: item.jobs.map(renewOne) };
}

export function registerWorker(memory: Memory, item: Registration): Registered {
  const now = memory.options.now();
  const holder = aliveWorker(memory, item.worker);
  if (holder !== undefined && holder.instance !== item.instance) {
    return { outcome: 'taken', aliveMs: holder.aliveUntil - now, ends: [], requeued: 0 };
  }
  note(memory, item);
  const answers = Array.from(slotsOf(memory, item.worker).keys()).flatMap((id) => {
    const record = recordOf(memory, id);
    if (record === undefined || record.worker !== item.worker || record.instance === item.instance) return [];
    if (record.state !== 'DISPATCHED' && record.state !== 'RUNNING') return [];
    const { tenant, state } = record;
    const why = state === 'RUNNING' ? 'lost' : 'unaccepted';
    return [requeueJob(memory, { id, tenant, seen: { state, fence: String(record.fence) }, why, delayMs: 0 })];
  });
  return {
    outcome: 'ok',
    aliveMs: item.aliveMs,
    ends: answers.flatMap(({ end }) => end ?? []),
    requeued: answers.filter(({ outcome }) => outcome === 'queued').length,
  };
}

export function unregisterWorker(memory: Memory, worker: string, instance: string): void {
  if (aliveWorker(memory, worker)?.instance === instance) memory.workers.delete(worker);
}
