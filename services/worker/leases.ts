// Keeps the leases of all attempts of all hosted workers: one call a second, straight to the store, also with nothing to do, because it
// is the workers' sign of life as well. And the other way round: a lease that could not be renewed is given up before it ends, by this
// process's own monotonic clock from before the last request that was answered, so that no handler runs on when somebody else has the job.
import { coalesce } from '#core/coalesce.ts';
import type { Events } from '#core/events.ts';
import type { JobStore, Renewed } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { HostEvent } from './events.ts';
import type { Attempt, HostedWorker } from './hosted.ts';

export interface Timing {
  readonly leaseMs: number;
  readonly renewMs: number;
  /** A handler is told to stop this long before its lease ends. */
  readonly marginMs: number;
  /** How long a worker counts as alive without a renewal. */
  readonly aliveMs: number;
}

export const timing: Timing = { leaseMs: 4000, renewMs: 1000, marginMs: 500, aliveMs: 4000 };

/** How long a renewal may take on its connection, ms: less than a second, so that a call that hangs does not use up the lease. */
export const renewalTimeoutMs = 900;

/** After a renewal that failed the next one comes sooner, ms: a short absence of the store should cost no job. */
const againMs = 250;

/** Renewals under way at once: a second one may start while the first one hangs, more would only pile up. */
const maxUnderWay = 2;

export interface LeasesOptions {
  readonly clock: Clock;
  readonly store: Pick<JobStore, 'renew'>;
  readonly log: Log;
  readonly events: Events<HostEvent>;
  readonly instance: string;
  readonly timing: Timing;
  /** The workers that are registered. */
  readonly workers: () => readonly HostedWorker[];
  /** Takes no more jobs: its capacity is told as 0. */
  readonly draining: () => boolean;
  readonly onReplaced: (worker: HostedWorker) => void;
}

export interface Leases {
  /** Renews every second from now on. */
  start(): void;
  /** One renewal of everything now. Answers whether the store was reached. */
  renewNow(): Promise<boolean>;
  /** Asks the store about this attempt now; the answer may stop it. Gathered, one call at a time. */
  ask(attempt: Attempt): void;
  /** From now on the attempt's lease is watched. */
  watch(attempt: Attempt): void;
  stop(): void;
}

/** Whether the attempt's lease is ours to keep: given up leases run out. */
function isKept(attempt: Attempt): boolean {
  if (attempt.cause === 'lease' || attempt.cause === 'replaced') return false;
  return attempt.phase === 'running' || attempt.phase === 'concluding';
}

export function createLeases(options: LeasesOptions): Leases {
  const { clock, store, log, events, timing } = options;
  let cancelTick: () => void = () => undefined;
  let cancelGuard: () => void = () => undefined;
  let guardAt = Number.POSITIVE_INFINITY;
  let underWay = 0;
  let running = false;
  let failing = false;

  /** Slots of handlers that were told to stop, did not, and whose lease is gone: the store does not know that they are taken. */
  const overdue = (worker: HostedWorker): number => {
    const now = clock.monotonic();
    let count = 0;
    for (const a of worker.attempts.values())
      if (a.phase === 'running' && a.cause !== undefined && a.leaseEnd <= now) count++;
    return count;
  };

  const renew = async (groups: ReadonlyMap<HostedWorker, readonly Attempt[]>): Promise<void> => {
    const sentAt = clock.monotonic();
    const answers = await store.renew(
      Array.from(groups, ([worker, attempts]) => ({
        worker: worker.id,
        instance: options.instance,
        pool: worker.definition.pool,
        capacity: options.draining() ? 0 : Math.max(0, worker.parallel - overdue(worker)),
        leaseMs: timing.leaseMs,
        aliveMs: timing.aliveMs,
        jobs: attempts.map((a) => a.key),
      })),
    );
    let i = 0;
    for (const [worker, attempts] of groups) apply(worker, attempts, answers[i++], sentAt + timing.leaseMs);
  };

  const apply = (
    worker: HostedWorker,
    attempts: readonly Attempt[],
    answer: Renewed | undefined,
    leaseEnd: number,
  ): void => {
    if (answer === undefined) throw new Error('the store left out a renewal');
    if (answer.outcome === 'replaced') {
      options.onReplaced(worker);
      return;
    }
    for (const [k, attempt] of attempts.entries()) {
      const word = answer.jobs[k] ?? 'unknown';
      if (word === 'keep') attempt.extend(leaseEnd);
      else attempt.stop(word);
    }
  };

  const renewAll = async (): Promise<boolean> => {
    const groups = new Map(options.workers().map((w) => [w, Array.from(w.attempts.values()).filter(isKept)]));
    if (groups.size === 0) return true;
    const startedAt = clock.monotonic();
    underWay++;
    try {
      await renew(groups);
    } catch (error) {
      if (!failing) log.warn('leases cannot be renewed', { error });
      failing = true;
      events.emit({ type: 'renewal_failed', error });
      if (running) plan(againMs);
      return false;
    } finally {
      underWay--;
    }
    if (failing) log.info('leases are renewed again');
    failing = false;
    let jobs = 0;
    for (const attempts of groups.values()) jobs += attempts.length;
    events.emit({ type: 'renewed', jobs, tookMs: clock.monotonic() - startedAt });
    return true;
  };

  const tick = (dueAt: number): void => {
    const now = clock.monotonic();
    const lateMs = now - dueAt;
    if (lateMs > timing.renewMs) {
      log.warn('the event loop stood still: work that computes belongs into a thread', { late_ms: Math.round(lateMs) });
      events.emit({ type: 'stalled', lateMs });
    }
    guard(); // after a standstill the leases may be over: whoever has lost one must not get another second
    plan(timing.renewMs);
    if (underWay < maxUnderWay) void renewAll();
  };
  const plan = (ms: number): void => {
    cancelTick();
    const dueAt = clock.monotonic() + ms;
    cancelTick = clock.after(ms, () => tick(dueAt));
  };

  // One timer for all attempts, set for the earliest end; renewals only move ends away, so it may come too early, never too late.
  const guard = (): void => {
    cancelGuard();
    guardAt = Number.POSITIVE_INFINITY;
    for (const worker of options.workers()) {
      for (const attempt of worker.attempts.values()) {
        if (attempt.phase !== 'running' || attempt.cause !== undefined) continue;
        watch(attempt);
      }
    }
  };
  const watch = (attempt: Attempt): void => {
    const giveUpAt = attempt.leaseEnd - timing.marginMs;
    const left = giveUpAt - clock.monotonic();
    if (left <= 0) attempt.stop('lease'); // its acceptance was answered too late to begin
    if (left <= 0 || giveUpAt >= guardAt || !running) return;
    cancelGuard();
    guardAt = giveUpAt;
    cancelGuard = clock.after(left, guard);
  };

  const asking = coalesce<Attempt, void>(
    async (attempts) => {
      const groups = new Map<HostedWorker, Attempt[]>();
      for (const a of new Set(attempts)) {
        if (a.cause !== undefined || !isKept(a)) continue;
        const group = groups.get(a.worker);
        if (group === undefined) groups.set(a.worker, [a]);
        else group.push(a);
      }
      if (groups.size > 0) await renew(groups);
      return attempts.map(() => undefined);
    },
    { concurrency: 1 },
  );

  // Asked about before its acceptance was answered: the answer may be older than the question.
  const doubted = new WeakSet<Attempt>();
  const ask = (attempt: Attempt): void => {
    if (attempt.phase === 'accepting') {
      doubted.add(attempt);
      return;
    }
    asking(attempt).catch((error: unknown) => {
      attempt.log.debug('could not ask about an attempt; the next renewal will', { error });
    });
  };

  return {
    start() {
      running = true;
      plan(timing.renewMs);
    },
    renewNow: renewAll,
    ask,
    watch(attempt) {
      watch(attempt);
      if (doubted.delete(attempt)) ask(attempt);
    },
    stop() {
      running = false;
      cancelTick();
      cancelGuard();
    },
  };
}
