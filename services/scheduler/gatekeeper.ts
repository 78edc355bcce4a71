// The gate: jobs in, judged in batches, one step each in the store. What is judged is the job whose digest the store holds; the store
// refuses the step for any other. A job that cannot be judged waits, with the reason in its record.
import type { Gated, PendingJob } from '#core/jobs/store.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { type GateJob, holdJob, planGate } from '#core/scheduling/plan.ts';
import type { Announcer } from './announcer.ts';
import type { SchedulerDeps } from './deps.ts';
import type { Kernel } from './kernel.ts';

export interface Gatekeeper {
  /** Judges jobs and applies the verdicts, in order. Throws when the store cannot be reached: they are still due. */
  judge(jobs: readonly GateJob[]): Promise<readonly Gated[]>;
}

/** A stored job as the gate takes it; undefined, and a log line, for a record whose packet cannot be read. */
export function gateJobOf(pending: PendingJob, log: SchedulerDeps['log']): GateJob | undefined {
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
  log.error('the packet of a job cannot be read', { job_id: pending.id, tenant: pending.tenant });
  return undefined;
}

/** How long a job waits for a kernel that has been away for so long, ms. */
export function holdFor(awayMs: number): number {
  return awayMs < 3_000 ? 1_000 : awayMs < 15_000 ? 2_000 : 5_000;
}

export function createGatekeeper(
  deps: SchedulerDeps,
  kernel: Kernel,
  announcer: Announcer,
  onReady: (pool: string, lane: string) => void,
): Gatekeeper {
  const { store, pools, timeouts, metrics, events } = deps;
  return {
    async judge(jobs) {
      if (jobs.length === 0) return [];
      const answer = await kernel.judge(
        jobs.map(({ id, tenant, request, bytes }) => ({
          jobId: id,
          topic: request.topic,
          tenant,
          principal: request.principalId,
          priority: request.priority,
          memoryId: request.memoryId,
          labels: request.labels,
          request,
          bytes,
        })),
      );
      const gates = jobs.map((job, i) => {
        if ('away' in answer)
          return holdJob(job, `waits for the safety kernel: ${answer.away}`, holdFor(kernel.awayMs()));
        const verdict = answer.verdicts[i];
        if (verdict === undefined) throw new Error('a job without a verdict');
        return planGate(job, verdict, pools, timeouts);
      });
      const gated = await store.gate(gates);
      for (const [i, done] of gated.entries()) {
        const gate = gates[i];
        if (gate === undefined || done.outcome !== 'applied') continue;
        events.emit({ type: 'gated', id: gate.id, to: gate.to, reason: gate.reason });
        if (gate.to === 'SCHEDULED') onReady(gate.pool, gate.lane);
        if (gate.to === 'DENIED') {
          metrics.count('cortex_scheduler_safety_denied_total', { topic: jobs[i]?.request.topic ?? '' });
        }
        if (done.end !== undefined) announcer.tell(done.end);
      }
      return gated;
    },
  };
}
