// The safety kernel as the scheduler sees it: is it there, and which policy is in force. Asked at least once a second, because a claim
// needs a version that is at most so old; while it does not answer, nothing is judged and nothing is handed out.
import { isRetryable, toCortexError } from '#core/errors.ts';
import type { PolicyVersion } from '#core/jobs/job.ts';
import type { CheckInput, Verdict } from '#core/policy/checker.ts';
import type { SchedulerDeps } from './deps.ts';

/** Between two questions when nothing is judged, ms. */
export const askEveryMs = 1_000;
/** How old the version in force may be when jobs are handed out, ms: one question missed, the next one answered. */
export const freshMs = 2_500;

export interface Kernel {
  /** The version in force; undefined while nobody can tell. */
  policy(): PolicyVersion | undefined;
  /** The last version that was told, however long ago. */
  lastPolicy(): PolicyVersion | undefined;
  /** Judges a batch; undefined: the kernel is away or has no usable policy, and why. */
  judge(inputs: readonly CheckInput[]): Promise<{ readonly verdicts: readonly Verdict[] } | { readonly away: string }>;
  /** Asks for the version unless a judgement has just told it. */
  ask(): Promise<void>;
  /** How long nobody has answered, ms; 0 while it does. */
  awayMs(): number;
  /** Calls back when it answers again or the version changes. */
  onChange(listener: () => void): void;
}

export function createKernel(deps: Pick<SchedulerDeps, 'checker' | 'clock' | 'metrics' | 'events' | 'log'>): Kernel {
  const { checker, clock, metrics, events, log } = deps;
  const listeners: (() => void)[] = [];
  let version: PolicyVersion | undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  let awaySince: number | undefined = clock.monotonic();
  let reason = 'the safety kernel has not answered yet';
  let asking = false;

  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  const check: SchedulerDeps['checker']['check'] = async (inputs) => {
    const asked = clock.monotonic();
    try {
      const answer = await checker.check(inputs);
      toldAt = Math.max(toldAt, asked);
      const before = version;
      // Two kernels behind one address may disagree for a moment; the newer one counts.
      if (before === undefined || answer.policy.sequence > before.sequence) version = answer.policy;
      const back = awaySince !== undefined;
      awaySince = undefined;
      if (back) {
        events.emit({ type: 'kernel', up: true });
        log.info('the safety kernel answers', { policy: version });
      }
      if (back || before?.hash !== version?.hash) changed();
      return answer;
    } catch (error) {
      const known = toCortexError(error);
      reason = known.message;
      if (awaySince === undefined) {
        awaySince = asked;
        events.emit({ type: 'kernel', up: false });
        log.warn('the safety kernel does not answer: jobs wait', { error: known });
      }
      if (!isRetryable(known) && known.code !== 'failed_precondition') {
        log.error('a check failed in a way that waiting may not mend', { error: known });
      }
      throw error;
    }
  };

  return {
    policy: () => (clock.monotonic() - toldAt <= freshMs ? version : undefined),
    lastPolicy: () => version,
    awayMs: () => (awaySince === undefined ? 0 : clock.monotonic() - awaySince),
    onChange: (listener) => void listeners.push(listener),
    async judge(inputs) {
      // Known to be away: the next question of `ask` finds out when it is back; no batch waits for a time-out of its own.
      if (awaySince !== undefined && version !== undefined) return { away: reason };
      const begun = clock.monotonic();
      try {
        const { verdicts } = await check(inputs);
        metrics.observe('cortex_safety_check_seconds', {}, (clock.monotonic() - begun) / 1000);
        for (const { decision } of verdicts) metrics.count('cortex_safety_checks_total', { decision });
        return { verdicts };
      } catch {
        return { away: reason }; // told and logged by `check`
      }
    },
    async ask() {
      if (asking || (awaySince === undefined && clock.monotonic() - toldAt < askEveryMs * 0.9)) return;
      asking = true;
      try {
        await check([]);
      } catch {
        // told and logged by `check`
      } finally {
        asking = false;
      }
    },
  };
}
