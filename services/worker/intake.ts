// Where hand-outs come in: each is taken, or given back at once when there is no room. Nothing waits here: waiting happens in the store.
import type { Delivery } from '#core/bus/bus.ts';
import type { Clock } from '#core/system.ts';
import { beginAttempt } from './attempt.ts';
import { type HandOut, readDelivery } from './door.ts';
import type { AttemptDeps, HostedWorker } from './hosted.ts';
import { pause } from './retry.ts';

/** Hand-outs that are being given back at once; more than that are left to the reconciler. */
const maxRefusals = 256;
/** A job that came to a full worker is not handed out again before, ms. */
const busyDelayMs = 100;

export interface Intake {
  take(worker: HostedWorker, message: Delivery): void;
  /** Resolves when all that was taken is over, after `ms`, or when the signal aborts. */
  over(clock: Clock, ms: number, signal?: AbortSignal): Promise<void>;
}

/** `open`: whether this worker takes jobs now. */
export function createIntake(deps: AttemptDeps, open: (worker: HostedWorker) => boolean): Intake {
  const { events, log, calls } = deps;
  const underWay = new Set<Promise<void>>();
  let refusals = 0;

  const refuse = async (worker: HostedWorker, handOut: HandOut, why: 'busy' | 'drained'): Promise<void> => {
    const { id, tenant, fence } = handOut;
    events.emit({ type: 'refused', worker: worker.id, topic: worker.definition.topic, job: id, fence, why });
    if (refusals >= maxRefusals) return;
    refusals++;
    try {
      const delayMs = why === 'busy' ? busyDelayMs : 0;
      await calls.requeue({ id, tenant, seen: { state: 'DISPATCHED', fence }, why, delayMs });
    } catch (error) {
      log.warn('could not give a hand-out back; it is handed out again when its time to be accepted is over', {
        job_id: id,
        why,
        error,
      });
    }
    refusals--;
  };

  return {
    take(worker, message) {
      const read = readDelivery(message, worker.definition.topic);
      if (!read.ok) {
        log.warn('a packet is no hand-out for this worker', { worker: worker.id, error: read.error });
        events.emit({ type: 'dropped', worker: worker.id, problem: read.error.message });
        return;
      }
      const handOut = read.value;
      if (worker.attempts.has(handOut.attempt)) return; // delivered twice
      // Attempts that conclude hold no slot, but a store that hangs must not let them pile up.
      const full = worker.active >= worker.parallel || worker.attempts.size >= 2 * worker.parallel;
      if (!open(worker) || full) {
        void refuse(worker, handOut, open(worker) ? 'busy' : 'drained');
        return;
      }
      const over = beginAttempt(worker, handOut, deps);
      underWay.add(over);
      void over.then(() => underWay.delete(over));
    },
    async over(clock, ms, signal) {
      const enough = new AbortController();
      const until = signal === undefined ? enough.signal : AbortSignal.any([enough.signal, signal]);
      await Promise.race([Promise.all(underWay), pause(clock, ms, until)]);
      enough.abort();
    },
  };
}
