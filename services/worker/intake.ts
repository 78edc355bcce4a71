// Where hand-outs come in: each is taken, or given back at once when there is no room. Nothing waits here: waiting happens in the store.
import type { Delivery } from '#core/bus/bus.ts';
import type { Clock } from '#core/system.ts';
import { beginAttempt } from './attempt.ts';
import { type HandOut, readDelivery } from './door.ts';
import type { AttemptDeps, HostedWorker } from './hosted.ts';
import { pause } from './retry.ts';

/** Hand-outs that are being given back at once; more than that are left to the reconciler. */
const maxRefusals = 256;
/** How long until such a job is handed out again, ms: by then schedulers have heard that there is no room here. */
const delays = { busy: 100, drained: 200 } as const;

export interface Intake {
  take(worker: HostedWorker, message: Delivery): void;
  /** Resolves when all that was taken is over, after `ms`, or when the signal aborts. */
  over(clock: Clock, ms: number, signal?: AbortSignal): Promise<void>;
}

/** For a log line. */
const about = ({ id, traceId, tenant }: HandOut) => ({ job_id: id, trace_id: traceId, tenant });

export interface IntakeOptions {
  /** Whether the worker's id is this process's. */
  readonly registered: (worker: HostedWorker) => boolean;
  /** Whether nothing new is taken any more. */
  readonly draining: () => boolean;
}

export function createIntake(deps: AttemptDeps, { registered, draining }: IntakeOptions): Intake {
  const { events, log, calls, instance } = deps;
  const underWay = new Set<Promise<void>>();
  let refusals = 0;

  const refuse = async (worker: HostedWorker, handOut: HandOut, why: 'busy' | 'drained'): Promise<void> => {
    const { id, tenant, fence } = handOut;
    events.emit({ type: 'refused', worker: worker.id, topic: worker.definition.topic, job: id, fence, why });
    if (refusals >= maxRefusals) return;
    refusals++;
    try {
      await calls.requeue({ id, tenant, seen: { state: 'DISPATCHED', fence }, why, delayMs: delays[why] });
    } catch (error) {
      log.warn('could not give a hand-out back; it is handed out again when its time to be accepted is over', {
        ...about(handOut),
        worker: worker.id,
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
      // Two processes may listen under one id for a while, when one was taken for dead. Nobody gives back what is not his own.
      if (handOut.instance !== instance || !registered(worker)) {
        const problem = 'is for another process that holds the worker id';
        log.debug('a hand-out is not for this process', { ...about(handOut), worker: worker.id });
        events.emit({ type: 'dropped', worker: worker.id, problem });
        return;
      }
      if (worker.attempts.has(handOut.attempt)) return; // delivered twice
      // Attempts that conclude hold no slot, but a store that hangs must not let them pile up.
      const full = worker.active >= worker.parallel || worker.attempts.size >= 2 * worker.parallel;
      if (draining() || full) {
        void refuse(worker, handOut, draining() ? 'drained' : 'busy');
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
