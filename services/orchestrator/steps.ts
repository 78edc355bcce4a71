// The children of one run while this process holds it: begun or found, watched, told to stop, and made again should the store have forgotten
// them. What they came to is put before the run as events; what follows from it is the run's business (run.ts).
import { toCortexError } from '#core/errors.ts';
import type { Events } from '#core/events.ts';
import type { WorkflowLimits } from '#core/scheduling/timeouts.ts';
import type { Clock } from '#core/system.ts';
import type { ChildEnd, Command, WorkflowEvent } from '#core/workflow/effects.ts';
import type { Seed } from '#core/workflow/lines.ts';
import { childId, inputDigest, workflowPrefix } from '#core/workflow/run.ts';
import type { Children, Parent } from './children.ts';
import type { Ends } from './ends.ts';
import type { OrchestratorEvent } from './events.ts';
import { endOfChild } from './memory.ts';

export type Start = Extract<Command, { type: 'start' }>;
type Step = Pick<Start, 'key' | 'attempt'>;

export interface StepsDeps {
  readonly children: Children;
  readonly ends: Ends;
  readonly clock: Clock;
  readonly events: Events<OrchestratorEvent>;
}

export interface StepsOptions {
  readonly parent: Parent;
  readonly limits: WorkflowLimits;
  readonly signal: AbortSignal;
  /** Children that were begun and are not known to have ended, with how to watch them no longer. Filled here. */
  readonly open: Map<string, () => void>;
  /** What of another run need not be done again, by key. */
  readonly kept: ReadonlyMap<string, Seed['kept'][number]>;
  /** When the run was begun first, ms since the epoch, and whether it fails. */
  readonly run: () => { readonly begunAt: number; readonly failing: boolean };
  readonly put: (event: WorkflowEvent, times?: { startedAt: number; endedAt: number }) => void;
  /** Something is lacking. */
  readonly wake: () => void;
}

export interface Steps {
  /** Begins children, finds them, or takes what a rerun keeps. Throws LostHold. */
  begin(starts: readonly Start[]): Promise<void>;
  /** Children that are not waited for any more. */
  drop(steps: readonly Step[]): Promise<void>;
  /** A child that is a run: it is told to stop, and cancelled when it has not ended within a step's time. `since`: ms since the epoch. */
  halt(step: Step, since: number): void;
  /** Something that was begun is not there any more. */
  readonly lacking: boolean;
  /** Makes it again. Throws LostHold. */
  again(): Promise<void>;
  /** Watches nothing any more. */
  close(): void;
}

/** Between two tries to cancel a child that did not stop in time, ms. */
const cancelAgainMs = 2000;

export function createSteps(options: StepsOptions, { children, ends, clock, events }: StepsDeps): Steps {
  const { parent, limits, signal, open, kept, run, put, wake } = options;
  /** How long to wait for those that are told to stop, by child. */
  const patience = new Map<string, () => void>();
  let missing: Start[] = [];

  const own = ({ key, attempt }: Step): string => childId(parent.id, key, attempt);

  const keptFor = ({ key, attempt, topic, payload }: Start): string | undefined => {
    const one = attempt === 1 ? kept.get(key) : undefined;
    return one?.topic === topic && one.d === inputDigest(payload) ? one.id : undefined;
  };

  /** What is left of the run's time bounds its steps; what is done because it fails has the time of a step. */
  const deadlineOf = ({ topic, timeoutMs = limits.childTimeoutMs }: Start): number => {
    const { begunAt, failing } = run();
    if (failing) return Math.ceil(Math.min(timeoutMs, limits.childTimeoutMs));
    // A run below this one is told to stop when the time of this one is over, and needs time to undo what it did.
    const more = topic.startsWith(workflowPrefix) ? limits.childTimeoutMs : 0;
    return Math.ceil(Math.max(1, Math.min(timeoutMs, begunAt + limits.totalTimeoutMs + more - clock.now())));
  };

  /** There is no such child: its step hears of it as of one that failed. */
  const failed = (
    { key, attempt }: Step,
    end: Pick<ChildEnd, 'jobId' | 'errorCode' | 'errorMessage' | 'kept'>,
  ): void => {
    const rest = { state: 'FAILED', resultPtr: '', safetyReason: '', final: true, result: null } as const;
    put({ type: 'end', at: clock.now(), key, attempt, end: { ...rest, ...end } });
  };

  const notThere = (step: Step, id: string): void => {
    const why = { errorCode: 'not_found', errorMessage: `job ${id} is not there any more` };
    failed(step, { jobId: id, ...(id !== own(step) && { kept: true as const }), ...why });
  };

  /** `gone`: there is no such job, and it was not told to stop. */
  const watch = (step: Step, id: string, found: boolean, gone: () => void): void => {
    const { key, attempt } = step;
    const child = { job: parent.id, key, child: id };
    events.emit({ type: found ? 'step_found' : 'step_begun', ...child });
    const name = own(step);
    const unwatch = ends.watch(
      { id, tenant: parent.tenant },
      (seen) => {
        open.delete(name);
        const halted = patience.has(name);
        patience.get(name)?.();
        if (seen === undefined) return halted ? notThere(step, id) : gone();
        const end = endOfChild(seen);
        events.emit({ type: 'step_ended', ...child, state: end.state });
        const told: ChildEnd = id === name ? end : { ...end, kept: true };
        put({ type: 'end', at: clock.now(), key, attempt, end: told }, seen.job);
      },
      found,
    );
    open.set(name, unwatch);
  };

  const begin = async (starts: readonly Start[]): Promise<void> => {
    const anew: Start[] = [];
    for (const start of starts) {
      const id = keptFor(start);
      if (id === undefined) anew.push(start);
      else watch(start, id, true, () => notThere(start, id));
    }
    const wanted = anew.map((start) => ({ ...start, deadlineMs: deadlineOf(start) }));
    const made = await children.start(parent, wanted, signal);
    for (const [i, start] of anew.entries()) {
      const child = made[i];
      if (child?.ok === true) {
        watch(start, child.value.id, child.value.found, () => {
          // A store that was restarted may have forgotten its last second. To ask for a child again is safe by its id.
          missing.push(start);
          wake();
        });
      } else {
        const { code, message } = toCortexError(child?.error);
        failed(start, { jobId: '', errorCode: code, errorMessage: message });
      }
    }
  };

  return {
    begin,

    async drop(steps) {
      const dropped = steps.map(own).filter((id) => open.has(id));
      for (const id of dropped) {
        open.get(id)?.();
        open.delete(id);
      }
      // One that is not there needs no end; should it have been forgotten, it is not made again.
      const names = new Set(steps.map(own));
      missing = missing.filter((start) => !names.has(own(start)));
      await children.cancel(parent, dropped, 'dropped');
    },

    halt(step, since) {
      const id = own(step);
      missing = missing.filter((start) => own(start) !== id);
      // It may not have been made, or is being looked for in vain: then there is nothing to stop.
      if (!open.has(id)) watch(step, id, true, () => notThere(step, id));
      void children.stop(parent, id, signal);
      const { begunAt } = run();
      const { childTimeoutMs, totalTimeoutMs } = limits;
      // The plane ends this run a step's time after its total: half of that is for what this run undoes itself.
      const last = Math.min(since + childTimeoutMs, begunAt + totalTimeoutMs + childTimeoutMs / 2);
      const wait = (ms: number): void => {
        const cancel = clock.after(ms, () => {
          void children.cancel(parent, [id], 'dropped').then(() => {
            if (patience.has(id)) wait(cancelAgainMs);
          });
        });
        patience.set(id, () => {
          cancel();
          patience.delete(id);
        });
      };
      wait(Math.max(0, Math.max(last, since + 1000) - clock.now()));
    },

    get lacking() {
      return missing.length > 0;
    },

    async again() {
      const starts = missing;
      missing = [];
      await begin(starts);
    },

    close() {
      for (const unwatch of open.values()) unwatch();
      for (const cancel of patience.values()) cancel();
    },
  };
}
