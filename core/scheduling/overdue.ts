// What to do with a job that is due: pure, from what the store showed. The step is then applied with the state and fence that were
// seen here, so that a job which moved in between is left alone.
import { pseudoPrefix } from '#core/jobs/lane.ts';
import { isEnd } from '#core/jobs/state.ts';
import type { DueJob, Requeue } from '#core/jobs/store.ts';
import type { Timeouts } from './timeouts.ts';

export type Action =
  /** Ask the kernel. */
  | { readonly do: 'judge' }
  | { readonly do: 'timeout'; readonly errorCode: string; readonly errorMessage: string }
  /** A step of a run that has ended. */
  | { readonly do: 'cancel'; readonly errorMessage: string }
  | {
      readonly do: 'requeue';
      readonly state: Requeue['seen']['state'];
      readonly why: Requeue['why'];
      readonly delayMs: number;
    }
  /** Tell its end on the bus. */
  | { readonly do: 'announce' }
  /** Nothing yet: it is looked at again by itself. */
  | { readonly do: 'wait' };

/** The action for a due job at `now`, the store's own time in ms. */
export function overdue(job: DueJob, now: number, timeouts: Timeouts): Action {
  const { state } = job;
  if (isEnd(state)) return { do: 'announce' };
  if (job.orphanOf !== '') return { do: 'cancel', errorMessage: `the workflow ${job.orphanOf} has ended` };
  if (job.deadlineAt <= now) return timeout('deadline_exceeded', 'the total deadline has passed');
  switch (state) {
    case 'PENDING':
      return { do: 'judge' };
    case 'AWAITING_APPROVAL':
      return { do: 'wait' };
    case 'SCHEDULED':
      return job.queued || job.notBefore > now ? { do: 'wait' } : { do: 'requeue', state, why: 'ready', delayMs: 0 };
    case 'DISPATCHED': {
      if (job.leaseAt > now) return { do: 'wait' };
      // A bus-only worker accepts nothing: its lease was the whole time it had, so this is a loss.
      if (job.worker.startsWith(pseudoPrefix)) return { do: 'requeue', state, why: 'lost', delayMs: 0 };
      if (job.firstHandOutAt > 0 && now - job.firstHandOutAt >= timeouts.dispatchTimeoutMs) {
        return timeout('dispatch_timeout', `no worker took the job up in ${timeouts.dispatchTimeoutMs / 1000} s`);
      }
      return { do: 'requeue', state, why: 'unaccepted', delayMs: 0 };
    }
    case 'RUNNING':
      if (job.runDeadlineAt > 0 && job.runDeadlineAt <= now) {
        return timeout('timeout', 'the attempt ran for longer than its topic allows');
      }
      return job.leaseAt > now ? { do: 'wait' } : { do: 'requeue', state, why: 'lost', delayMs: 0 };
  }
}

function timeout(errorCode: string, errorMessage: string): Action {
  return { do: 'timeout', errorCode, errorMessage };
}
