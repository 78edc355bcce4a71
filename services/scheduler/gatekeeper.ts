// The gate: jobs in, judged in batches, one step each in the store. What is judged is the job whose digest the store holds; the store
// refuses the step for any other. A job that cannot be judged waits, with the reason in its record.
import type { Gate, Gated, PendingJob } from '#core/jobs/store.ts';
import type { CheckInput, Verdict } from '#core/policy/checker.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { type GateJob, holdJob, planGate } from '#core/scheduling/plan.ts';
import type { Announcer } from './announcer.ts';
import type { SchedulerDeps } from './deps.ts';
import { createHolds } from './holds.ts';
import type { Kernel } from './kernel.ts';

export interface Gatekeeper {
  /** Judges jobs and applies the verdicts, in order. Throws when the store cannot be reached: they are still due. */
  judge(jobs: readonly GateJob[]): Promise<readonly Gated[]>;
  /** What the kernel says, as steps for the store. A step holds for the job with its digest, whenever the record is made. */
  decide(jobs: readonly GateJob[]): Promise<readonly Gate[]>;
  /** Applies steps to their jobs, in order. Throws as `judge`. */
  apply(jobs: readonly GateJob[], gates: readonly Gate[]): Promise<readonly Gated[]>;
}

/** A stored job as the gate takes it; undefined, and a log line, for a record whose packet cannot be read. */
export function gateJobOf(
  pending: PendingJob & { readonly traceId?: string },
  log: SchedulerDeps['log'],
): GateJob | undefined {
  const packet = decodePacket(pending.packet);
  if (packet.ok && packet.value.payload.case === 'jobRequest') {
    return {
      id: pending.id,
      tenant: pending.tenant,
      digest: pending.digest,
      request: packet.value.payload.value,
      bytes: pending.packet.length,
    };
  }
  const { id, tenant, traceId = packet.ok ? packet.value.traceId : undefined } = pending;
  log.error('the packet of a job cannot be read', { job_id: id, trace_id: traceId, tenant });
  return undefined;
}

/** `onReady`: a job entered the ready queue. */
export function createGatekeeper(
  deps: SchedulerDeps,
  kernel: Kernel,
  announcer: Announcer,
  onReady: (pool: string, lane: string) => void,
): Gatekeeper {
  const { store, clock, pools, timeouts, metrics, events } = deps;
  const holds = createHolds(clock);

  const planOf = (job: GateJob, verdict: Verdict): Gate => {
    // A claim would send it straight back, over and over while that kernel answers.
    if (kernel.outdated(verdict.policy)) return holdJob(job, 'was judged by an older policy than the one in force', 0);
    return planGate(job, verdict, pools, timeouts);
  };
  const note = (job: GateJob, gate: Gate, gated: Gated): void => {
    const { topic } = job.request;
    events.emit({ type: 'gated', id: gate.id, to: gate.to, reason: gate.reason });
    if (gate.to === 'PENDING') return;
    if (gate.to === 'SCHEDULED') onReady(gate.pool, gate.lane);
    if (gate.to === 'DENIED') metrics.count('cortex_scheduler_safety_denied_total', { topic });
    if (gated.end !== undefined) announcer.tell(gated.end);
  };

  const decide: Gatekeeper['decide'] = async (jobs) => {
    if (jobs.length === 0) return [];
    const answer = await kernel.judge(jobs.map(checkInput));
    return jobs.map((job, i): Gate => {
      if ('away' in answer) return wait(holdJob(job, `waits for the safety kernel: ${answer.away}`, 0));
      const verdict = answer.verdicts[i];
      if (verdict === undefined) throw new Error('a job without a verdict');
      return wait(planOf(job, verdict));
    });
  };
  const apply: Gatekeeper['apply'] = async (jobs, gates) => {
    if (jobs.length === 0) return [];
    const gated = await store.gate(gates);
    for (const [i, done] of gated.entries()) {
      const job = jobs[i];
      const gate = gates[i];
      if (job === undefined || gate === undefined) continue;
      // Also when nobody can judge it: it has come.
      if (done.first) metrics.count('cortex_scheduler_jobs_received_total', { topic: job.request.topic });
      if (done.outcome === 'applied') note(job, gate, done);
    }
    return gated;
  };

  return { decide, apply, judge: async (jobs) => apply(jobs, await decide(jobs)) };

  function wait(gate: Gate): Gate {
    return gate.to === 'PENDING' ? { ...gate, holdMs: holds(gate.holdMs) } : gate;
  }
}

function checkInput({ id, tenant, request, bytes }: GateJob): CheckInput {
  return {
    jobId: id,
    topic: request.topic,
    tenant,
    principal: request.principalId,
    priority: request.priority,
    memoryId: request.memoryId,
    labels: request.labels,
    request,
    bytes,
  };
}
