// One hand-out from the moment it arrives to the moment nothing of it is left.
//
//   accepting   the store has been asked; the slot here is taken already
//   running     the store said run: the handler runs, or has been told to stop and has not returned yet
//   concluding  the handler has returned: its slot here is free, its outcome goes to the store
//   over        nothing is left to do
//
// Leases are kept by leases.ts; here is only known until when (`leaseEnd`) the attempt's own lease certainly lasts.
import type { Accepted } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import { conclude } from './conclude.ts';
import type { HandOut } from './door.ts';
import type { About } from './events.ts';
import { execute } from './execute.ts';
import type { Attempt, AttemptDeps, HostedWorker } from './hosted.ts';
import { persist } from './retry.ts';
import { stopError } from './stop-error.ts';

/** How long a handler may take to stop before the log says so, and before it is counted, ms. */
const patience = { warnMs: 1000, countMs: 10_000 };

type Changing = { -readonly [K in keyof Attempt]: Attempt[K] };

/** Takes a slot of the worker and sees the hand-out through. The promise never rejects and resolves when all is over. */
export function beginAttempt(worker: HostedWorker, handOut: HandOut, deps: AttemptDeps): Promise<void> {
  const { clock, events } = deps;
  const { id, tenant, traceId, fence } = handOut;
  const about: About = { worker: worker.id, topic: worker.definition.topic, job: id, fence };
  const controller = new AbortController();
  let log: Log | undefined;
  let cancelPatience: () => void = () => undefined;
  const attempt: Changing = {
    handOut,
    about,
    worker,
    key: { id, tenant, fence, attempt: handOut.attempt },
    signal: controller.signal,
    get log() {
      // Most jobs write no line, and a logger is six closures.
      return (log ??= deps.log.with({ job_id: id, trace_id: traceId, tenant, worker: worker.id }));
    },
    phase: 'accepting',
    cause: undefined,
    leaseEnd: 0,
    extend(until) {
      if (until > attempt.leaseEnd) attempt.leaseEnd = until;
    },
    stop(cause) {
      if (attempt.cause !== undefined || attempt.phase === 'concluding' || attempt.phase === 'over') return;
      attempt.cause = cause;
      events.emit({ type: 'aborted', ...about, cause });
      const since = clock.monotonic();
      cancelPatience = clock.after(patience.warnMs, () => {
        attempt.log.warn('a handler was told to stop and still runs', { cause });
        cancelPatience = clock.after(patience.countMs - patience.warnMs, () => {
          events.emit({ type: 'unresponsive', ...about, sinceMs: clock.monotonic() - since });
        });
      });
      controller.abort(stopError(cause));
    },
  };

  let slotTaken = true;
  worker.active++;
  worker.attempts.set(handOut.attempt, attempt);
  deps.onSlot(worker);
  const freeSlot = (): void => {
    if (!slotTaken) return;
    slotTaken = false;
    cancelPatience();
    worker.active--;
    deps.onSlot(worker);
  };

  const live = async (): Promise<void> => {
    // From before the first request: a repeated accept answers the same and does not lengthen the lease.
    const askedAt = clock.monotonic();
    const accepted = await accept(attempt, askedAt, deps);
    if (accepted === undefined) return;
    attempt.leaseEnd = askedAt + deps.leaseMs;
    attempt.phase = 'running';
    const { pool } = worker.definition;
    events.emit({ type: 'accepted', ...about, pool, attempt: accepted.attempts, waitedMs: accepted.waitedMs });
    deps.onLeased(attempt);
    const { outcome, execMs, meter, remember } = await execute(attempt, accepted, askedAt, deps);
    attempt.phase = 'concluding';
    freeSlot();
    await meter?.tried();
    await conclude(attempt, outcome, { execMs, number: accepted.attempts, remember }, deps);
    await meter?.over();
  };

  return live()
    .catch((error: unknown) => attempt.log.error('an attempt ended in a surprise', { error }))
    .finally(() => {
      attempt.phase = 'over';
      freeSlot();
      worker.attempts.delete(handOut.attempt);
      events.emit({ type: 'done', ...about });
    });
}

/** The store's leave to run; undefined, and told, when there is none. */
async function accept(
  attempt: Attempt,
  askedAt: number,
  deps: AttemptDeps,
): Promise<Extract<Accepted, { outcome: 'run' }> | undefined> {
  const { about, key, worker, signal } = attempt;
  const { clock, events, instance, leaseMs } = deps;
  try {
    const accepted = await persist(() => deps.calls.accept({ ...key, worker: worker.id, instance, leaseMs }), {
      clock,
      until: () => askedAt + attempt.handOut.leaseMs,
      signal,
    });
    if (accepted.outcome === 'run') return accepted;
    attempt.log.info('a hand-out was not the current one any more', { reason: accepted.reason });
    events.emit({ type: 'stale', ...about, step: 'accept', reason: accepted.reason });
  } catch (error) {
    attempt.log.warn('could not accept a job in time', { error });
    events.emit({ type: 'unaccepted', ...about, error });
  }
  return undefined;
}
