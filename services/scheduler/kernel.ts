// The safety kernel as the scheduler sees it: is it there, and which policy is in force. A claim needs a version that the kernel named
// less than a second ago, so it is asked three times a second; while it does not answer, nothing is judged and nothing handed out.
import { isRetryable, toCortexError } from '#core/errors.ts';
import { formatPolicy, type PolicyVersion } from '#core/jobs/job.ts';
import type { Checker, CheckInput, Verdict } from '#core/policy/checker.ts';
import type { SchedulerDeps } from './deps.ts';
import { every } from './loop.ts';

/** Between two questions when no judgement tells the version, ms: an answer may take half a second, and no hand-out waits. */
export const askEveryMs = 300;
/** How old the answer may be that names the version by which jobs are handed out, ms. */
export const freshMs = 1_000;
/** For how long nobody must have named the newest version before an older one is believed: the kernel was put back, ms. */
export const adoptMs = 10_000;

const tickMs = 150;

export interface Kernel {
  /** Asks once, then three times a second. Resolves with the first answer, or when there is none. */
  start(): Promise<void>;
  stop(): void;
  /** The version in force; undefined while nobody can tell. */
  policy(): PolicyVersion | undefined;
  /** The last version that was told, however long ago. */
  lastPolicy(): PolicyVersion | undefined;
  /** Whether jobs judged under this version would come straight back from a claim. */
  outdated(version: PolicyVersion): boolean;
  /** Judges a batch; `away`: nobody judged, and why. */
  judge(inputs: readonly CheckInput[]): Promise<{ readonly verdicts: readonly Verdict[] } | { readonly away: string }>;
  /** Why nothing can be handed out; empty when it can. */
  problem(): string;
  /** Calls back when it answers again or the version changes. */
  onChange(listener: () => void): void;
}

export function createKernel(deps: Pick<SchedulerDeps, 'checker' | 'clock' | 'metrics' | 'events' | 'log'>): Kernel {
  const { checker, clock, metrics, events, log } = deps;
  const listeners: (() => void)[] = [];
  let version: PolicyVersion | undefined;
  /** When the question was put whose answer named `version` last. */
  let toldAt = Number.NEGATIVE_INFINITY;
  let away = true;
  let reason = 'the safety kernel has not answered yet';
  let asking = false;
  let stopTicks: () => void = () => undefined;

  const isFresh = (): boolean => clock.monotonic() - toldAt <= freshMs;
  const noteVersion = (told: PolicyVersion, askedAt: number): void => {
    const before = version;
    // Two kernels behind one address may disagree for a moment: the newer policy counts. Foreign kernels give no order (sequence 0).
    const newest = before === undefined || told.sequence > before.sequence || told.sequence === 0;
    if (newest) version = told;
    else if (told.hash !== before.hash && askedAt - toldAt > adoptMs) {
      log.warn('the kernel has gone back to an older policy', { from: formatPolicy(before), to: formatPolicy(told) });
      version = told;
    }
    if (told.hash === version?.hash) toldAt = Math.max(toldAt, askedAt);
  };
  const noteAnswer = (told: PolicyVersion, askedAt: number): void => {
    const before = version;
    const was = { away, fresh: isFresh() };
    noteVersion(told, askedAt);
    away = false;
    if (was.away) {
      events.emit({ type: 'kernel', up: true });
      log.info('the safety kernel answers', { policy: version });
    }
    if (was.away || !was.fresh || before?.hash !== version?.hash) for (const listener of listeners) listener();
  };
  const noteFailure = (error: unknown): void => {
    const known = toCortexError(error);
    reason = known.message;
    if (!away) {
      away = true;
      events.emit({ type: 'kernel', up: false });
    }
    if (!isRetryable(known) && known.code !== 'failed_precondition') {
      log.error('a check failed in a way that waiting may not mend', { error: known });
    }
  };
  const check: Checker['check'] = async (inputs) => {
    const askedAt = clock.monotonic();
    try {
      const answer = await checker.check(inputs);
      noteAnswer(answer.policy, askedAt);
      return answer;
    } catch (error) {
      noteFailure(error);
      throw error;
    }
  };
  const ask = async (): Promise<void> => {
    if (asking || (!away && clock.monotonic() - toldAt < askEveryMs)) return;
    asking = true;
    try {
      await check([]);
    } catch {
      // noted by `check`
    } finally {
      asking = false;
    }
  };

  return {
    start() {
      stopTicks = every(clock, tickMs, () => void ask());
      return ask();
    },
    stop: () => stopTicks(),
    policy: () => (isFresh() ? version : undefined),
    lastPolicy: () => version,
    outdated: ({ sequence, hash }) => version !== undefined && sequence < version.sequence && hash !== version.hash,
    problem() {
      if (away) return reason;
      return isFresh() ? '' : 'the safety kernel has not named the policy in force for more than a second';
    },
    onChange: (listener) => void listeners.push(listener),
    async judge(inputs) {
      // Known to be away: `ask` finds out when it is back; no batch waits for a time-out of its own.
      if (away && version !== undefined) return { away: reason };
      const begun = clock.monotonic();
      try {
        const { verdicts } = await check(inputs);
        metrics.observe('cortex_scheduler_safety_check_seconds', {}, (clock.monotonic() - begun) / 1000);
        return { verdicts };
      } catch {
        return { away: reason }; // noted by `check`
      }
    },
  };
}
