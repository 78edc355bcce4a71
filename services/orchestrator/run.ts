// One run of a workflow: what its steps do, until it is over or told to stop. Nothing is kept here that a replay would miss.
import { CortexError } from '#core/errors.ts';
import type { Events } from '#core/events.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import { unwrap } from '#core/result.ts';
import type { Clock } from '#core/system.ts';
import type { Step, StepResult, WorkflowContext } from '#core/workflow/definition.ts';
import { isStepKey, nextOf, stepError } from '#core/workflow/run.ts';
import { pause } from '../worker/retry.ts';
import type { Children, Parent } from './children.ts';
import type { OrchestratorEvent } from './events.ts';

export interface RunOptions {
  readonly parent: Parent;
  readonly children: Children;
  readonly clock: Clock;
  readonly events: Events<OrchestratorEvent>;
  readonly signal: AbortSignal;
  readonly progress: (percent: number, message?: string) => void;
  /** Defaults of steps. */
  readonly childTimeoutMs: number;
  readonly maxRetries: number;
  /** ms left of the run's total time; asked before each child. */
  readonly remainingMs: () => number;
}

export interface Run {
  readonly context: WorkflowContext;
  /** Children that were begun and are not known to have ended. */
  readonly open: ReadonlySet<string>;
}

export function createRun(options: RunOptions): Run {
  const { parent, children, clock, events, signal, progress } = options;
  const open = new Set<string>();
  const keys = new Set<string>();

  async function step<O>(key: string, wanted: Step<O>): Promise<StepResult<O>> {
    if (!isStepKey(key)) throw new RangeError(`${JSON.stringify(key)} is not a key for a step`);
    if (keys.has(key)) throw new RangeError(`two steps have the key ${key}`);
    keys.add(key);
    const { topic, maxRetries = options.maxRetries, timeoutMs = options.childTimeoutMs } = wanted;
    const payload = JSON.stringify(wanted.input ?? null);
    for (let attempt = 1; ; attempt++) {
      const left = options.remainingMs();
      if (left <= 0) throw stepError(key, 'deadline_exceeded', "the workflow's time is over");
      signal.throwIfAborted();
      const spec = { key, attempt, topic, payload, deadlineMs: Math.ceil(Math.min(timeoutMs, left)) };
      const { id, found } = await children.start(parent, spec, signal);
      open.add(id);
      events.emit({ type: found ? 'step_found' : 'step_begun', job: parent.id, key, child: id });
      const view = await children.ended(parent, id, signal);
      open.delete(id);
      events.emit({ type: 'step_ended', job: parent.id, key, child: id, state: view.state });
      const next = nextOf(key, view, { attempt, maxRetries });
      switch (next.next) {
        case 'done':
          return { value: await read(key, id, wanted), pointer: view.resultPtr, jobId: id };
        case 'fail':
          throw next.error;
        case 'retry':
          // A replay need not wait again for what is long over.
          if (!found) await pause(clock, next.pauseMs, signal);
          break;
        case 'wait':
          throw new Error(`the child ${id} has ended and waits`);
      }
    }
  }

  async function read<O>(key: string, id: string, { output }: Step<O>): Promise<O> {
    const text = await children.result(parent, id, signal);
    if (text === undefined) throw stepError(key, 'data_loss', `the result of ${id} is not there any more`);
    try {
      return unwrap(parsePayload(output, JSON.parse(text), 'result'));
    } catch (error) {
      const problem = error instanceof CortexError ? error.message : 'its result is not JSON';
      throw stepError(key, 'internal', problem, error);
    }
  }

  return { context: { step, progress: (percent, message) => progress(percent, message) }, open };
}
