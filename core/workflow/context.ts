// What a workflow's generator is given: each operation as the effects that the machine knows. Pure like the machine.
import { CortexError, toCortexError } from '#core/errors.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import type { Op, Raced, StepPolicy, StepResult, Task, WorkflowContext } from './definition.ts';
import type { ChildEnd, Effect } from './effects.ts';
import type { MachineHooks } from './machine.ts';
import { mayPass, nextOf, pauseBefore, stepError } from './run.ts';

/** Defaults of steps. */
export interface StepDefaults {
  readonly maxRetries: number;
}

/** The context of one run. */
export function createWorkflowContext(
  about: Pick<WorkflowContext, 'runId' | 'workflowId'>,
  hooks: MachineHooks,
  defaults: StepDefaults,
): WorkflowContext {
  function* run<I, O>(key: string, task: Task<I, O>, input: I, policy: StepPolicy = {}): Op<StepResult<O> | undefined> {
    try {
      return yield* runStep(key, task, input, policy, defaults);
    } catch (error) {
      if (policy.onFailure !== 'continue' || !(error instanceof CortexError)) throw error;
      return undefined;
    }
  }

  function* sleep(key: string, ms: number): Op<void> {
    yield { type: 'sleep', key, ms };
  }

  function* all(ops: readonly Op<unknown>[]): Op<unknown[]> {
    return (yield { type: 'join', mode: 'all', ops }) as unknown[];
  }

  function* race<T extends Readonly<Record<string, Op<unknown>>>>(ops: T): Op<Raced<T>> {
    const won = (yield { type: 'join', mode: 'race', ops: Object.values(ops) }) as { index: number; value: unknown };
    return { name: Object.keys(ops)[won.index], value: won.value } as Raced<T>;
  }

  const context: WorkflowContext = {
    ...about,
    run: run as WorkflowContext['run'],
    all: all as WorkflowContext['all'],
    race,
    sleep,
    *map(items, { limit }, work) {
      if (!(limit >= 1)) throw new RangeError(`the limit of a map is ${limit}: 1 is the least`);
      const results = new Array<Awaited<unknown>>(items.length);
      let next = 0;
      function* lane(): Op<void> {
        for (let i = next++; i < items.length; i = next++) results[i] = yield* work(items[i] as never, i);
      }
      yield* all(Array.from({ length: Math.min(Math.floor(limit), items.length) }, lane));
      return results as never;
    },
    *timeout<T>(key: string, ms: number, op: Op<T>): Op<T> {
      const first = yield* race({ op, late: sleep(key, ms) });
      if (first.name === 'op') return first.value;
      throw new CortexError('deadline_exceeded', `${key}: it took longer than ${ms} ms`);
    },
    *retry<T>(key: string, { tries, pauseMs }: { tries: number; pauseMs?: number }, work: (attempt: number) => Op<T>) {
      for (let attempt = 1; ; attempt++) {
        try {
          return yield* work(attempt);
        } catch (error) {
          if (attempt >= tries || !mayPass(toCortexError(error).code)) throw error;
        }
        yield* sleep(`${key}~r${attempt}`, pauseBefore(attempt + 1, pauseMs));
      }
    },
    *signal(name, schema) {
      const check = (value: unknown) => parsePayload(schema, value, 'value');
      return (yield { type: 'signal', name, check }) as never;
    },
    compensate: (undo) => hooks.compensate(undo),
    progress: (percent, message) => hooks.progress(percent, message),
    now: () => hooks.now(),
  };
  return context;
}

function* runStep<I, O>(
  key: string,
  task: Task<I, O>,
  input: I,
  { timeoutMs, pauseMs, adapterId = '', stepIndex = 0, maxRetries }: StepPolicy,
  defaults: StepDefaults,
): Generator<Effect, StepResult<O>, unknown> {
  // As the worker will read it; what goes out is what the step was given, as JSON has it.
  const checked = parsePayload(task.input, input, 'input');
  if (!checked.ok) throw stepError(key, 'invalid_argument', checked.error.message, checked.error);
  const payload = JSON.stringify(input ?? null);
  const done = (end: ChildEnd): StepResult<O> => ({
    ...{ value: read(key, task, end), pointer: end.resultPtr, jobId: end.jobId },
  });
  let before = 0;
  for (let attempt = 1; ; attempt++) {
    const child = { key, attempt, topic: task.topic, payload, timeoutMs, adapterId, stepIndex };
    const end = (yield { type: 'child', ...child }) as ChildEnd;
    if (end.kept === true) {
      try {
        return done(end);
      } catch {
        // What a rerun kept is gone, or of no use to the step: it is done again, and that is its first try.
        before = attempt;
        continue;
      }
    }
    const tries = { attempt: attempt - before, pauseMs, maxRetries: maxRetries ?? defaults.maxRetries };
    const next = nextOf(key, end, tries);
    switch (next.next) {
      case 'done':
        return done(end);
      case 'fail':
        throw next.error;
      case 'retry':
        yield { type: 'sleep', key: `${key}~${attempt}`, ms: next.pauseMs };
        break;
      case 'wait':
        throw new Error(`the child ${end.jobId} has ended and waits`);
    }
  }
}

function read<O>(key: string, { output }: Pick<Task<unknown, O>, 'output'>, { jobId, result }: ChildEnd): O {
  if (result === null) throw stepError(key, 'data_loss', `the result of ${jobId} is not there any more`);
  let value: unknown;
  try {
    value = JSON.parse(result);
  } catch (error) {
    throw stepError(key, 'internal', 'its result is not JSON', error);
  }
  const parsed = parsePayload(output, value, 'result');
  if (!parsed.ok) throw stepError(key, 'internal', parsed.error.message, parsed.error);
  return parsed.value;
}
