// The last step of an attempt: what the store is told, by the reason for which the handler returned.
import type { Commit, Remember } from '#core/jobs/store.ts';
import type { Attempt, AttemptDeps } from './hosted.ts';
import { backoffMs, type Outcome } from './outcome.ts';
import { persist } from './retry.ts';

interface Facts {
  readonly execMs: number;
  /** The attempt's number, from 1. */
  readonly number: number;
  /** What a memory is to keep if it succeeded. */
  readonly remember: Remember | undefined;
}

/** Every call is repeated while the store is away and the lease lasts; what cannot be told then, the reconciler finds out. */
export async function conclude(attempt: Attempt, outcome: Outcome, facts: Facts, deps: AttemptDeps): Promise<void> {
  switch (attempt.cause) {
    case undefined:
    case 'deadline':
      await commit(attempt, outcome, facts, deps);
      return;
    case 'shutdown':
      // It may have finished while it was being told.
      if (outcome.status !== 'SUCCEEDED') return handBack(attempt, 'drained', deps);
      await commit(attempt, outcome, facts, deps);
      return;
    case 'lease':
      // Only our belief is over: as long as the fence is the current one, what was finished counts.
      if (outcome.status === 'SUCCEEDED' && (await commit(attempt, outcome, facts, deps))) return;
      // The store may not have noticed yet that the lease runs out; it need not wait for that.
      return handBack(attempt, 'lost', deps);
    case 'replaced':
      return; // whoever holds the worker's id now has taken care of its jobs
    case 'cancelled':
    case 'timeout':
    case 'denied':
    case 'lost':
    case 'ended':
    case 'unknown':
      return tellStopped(attempt, deps);
  }
}

/** Answers whether the store has judged the outcome, for or against it. */
async function commit(attempt: Attempt, outcome: Outcome, facts: Facts, deps: AttemptDeps): Promise<boolean> {
  const { about, worker } = attempt;
  const { status } = outcome;
  const { execMs, remember } = facts;
  const item: Commit = {
    ...{ ...attempt.key, worker: worker.id, backoffMs: backoffMs(facts.number), execMs, ...outcome },
    ...(status === 'SUCCEEDED' && { remember }),
  };
  try {
    const committed = await untilLeaseEnd(attempt, deps, () => deps.calls.commit(item));
    if (committed.outcome === 'committed' || committed.outcome === 'retry') {
      if (committed.end !== undefined) deps.news.ended(committed.end, worker.id);
      if (deps.log.level === 'debug') {
        attempt.log.debug('committed', {
          status,
          outcome: committed.outcome,
          exec_ms: execMs,
          error_code: outcome.errorCode,
        });
      }
      const { outcome: how, state } = committed;
      deps.events.emit({ type: 'committed', ...about, status, outcome: how, state, execMs });
      return true;
    }
    const reason = committed.outcome === 'missing' ? 'unknown' : committed.reason;
    attempt.log.info('an outcome came too late', { status, reason });
    deps.events.emit({ type: 'stale', ...about, step: 'commit', reason });
  } catch (error) {
    attempt.log.error('an outcome could not be stored; the job will be handed out again', { status, error });
    deps.events.emit({ type: 'uncommitted', ...about, error });
    return false;
  }
  await tellStopped(attempt, deps);
  return true;
}

async function tellStopped(attempt: Attempt, deps: AttemptDeps): Promise<void> {
  try {
    await untilLeaseEnd(attempt, deps, () => deps.calls.stopped({ ...attempt.key, worker: attempt.worker.id }));
  } catch (error) {
    attempt.log.warn('could not say that a handler has stopped; its slot is free when its lease ends', { error });
  }
}

/** The job is for somebody else to run; says so as far as the lease and the store allow. Never throws. */
export async function handBack(attempt: Attempt, why: 'lost' | 'drained', deps: AttemptDeps): Promise<void> {
  const { id, tenant, fence } = attempt.key;
  const item = { id, tenant, seen: { state: 'RUNNING', fence }, why, delayMs: 0 } as const;
  try {
    const answer = await untilLeaseEnd(attempt, deps, () => deps.calls.requeue(item));
    if (answer.outcome === 'moved' || answer.outcome === 'missing') return await tellStopped(attempt, deps);
    if (answer.end !== undefined) deps.news.ended(answer.end, attempt.worker.id);
    deps.events.emit({ type: 'handed_back', ...attempt.about, why });
  } catch (error) {
    attempt.log.warn('could not hand a job back; it is handed out again when its lease ends', { error });
  }
}

function untilLeaseEnd<T>(attempt: Attempt, deps: AttemptDeps, call: () => Promise<T>): Promise<T> {
  return persist(call, { clock: deps.clock, until: () => attempt.leaseEnd });
}
