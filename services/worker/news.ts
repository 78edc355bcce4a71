// News about attempts for the bus: how a job ended, how far it is, that it gave out text. Nothing rests on them; the truth is in the store by then.
import type { Bus } from '#core/bus/bus.ts';
import type { JobEnd } from '#core/jobs/job.ts';
import { endMessage } from '#core/protocol/end.ts';
import { encodePacket, progressPacket } from '#core/protocol/envelope.ts';
import { statusOfState } from '#core/protocol/status.ts';
import { headers, isSubjectToken, jobOutput, subjects } from '#core/protocol/subjects.ts';
import type { Clock } from '#core/system.ts';
import type { ProgressReport } from './progress.ts';

export interface News {
  ended(end: JobEnd, worker: string): void;
  progress(job: { readonly id: string; readonly traceId: string }, report: ProgressReport, worker: string): void;
  /** There is more text of it. */
  output(job: { readonly id: string; readonly tenant: string }): void;
}

const nothing = new Uint8Array(0);

/** Posts on `sys.job.result`, `sys.job.progress` and `cortex.out.<tenant>.<job>`; drops when the bus is away. */
export function createNews(bus: Bus, clock: Clock): News {
  return {
    ended(end, worker) {
      bus.post(endMessage(end, worker, clock.now()));
    },
    progress(job, report, worker) {
      const packet = progressPacket(
        { traceId: job.traceId, senderId: worker, atMs: clock.now() },
        { jobId: job.id, percent: report.percent, message: report.message, status: statusOfState('RUNNING') },
      );
      // The store has it: the scheduler need not look.
      bus.post({ subject: subjects.progress, data: encodePacket(packet), headers: { [headers.recorded]: '1' } });
    },
    output({ id, tenant }) {
      if (isSubjectToken(id) && isSubjectToken(tenant)) bus.post({ subject: jobOutput(tenant, id), data: nothing });
    },
  };
}
