// Runs the handler of an accepted attempt under its deadline, unless something stands against it before.
import { CortexError } from '#core/errors.ts';
import type { Accepted, Remember } from '#core/jobs/store.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';
import type { PolicyConstraints } from '#proto/cortex/agent/v1/safety_pb.ts';
import { limitsUnder, parseConstraints, refusal, runtimeUnder } from './constraints.ts';
import { createContext } from './context.ts';
import type { WorkerDefinition } from './define.ts';
import type { Attempt, AttemptDeps } from './hosted.ts';
import type { Meter } from './meter.ts';
import { failed, type Outcome, outcomeOf, type Settled, timedOut } from './outcome.ts';
import { keepRecording, startRecorder } from './recorder.ts';
import { stopError } from './stop-error.ts';

export interface Executed {
  /** What the attempt came to, had nobody told it to stop (the deadline excepted: that is its outcome). */
  readonly outcome: Outcome;
  readonly execMs: number;
  /** Of what was asked of models; undefined when the handler never ran. */
  readonly meter?: Meter;
  /** What a memory is to keep if it succeeded. */
  readonly remember?: Remember | undefined;
}

/** `askedAt`: the moment (monotonic) before acceptance, from which the attempt's time is counted. Never throws. */
export async function execute(
  attempt: Attempt,
  accepted: Extract<Accepted, { outcome: 'run' }>,
  askedAt: number,
  deps: AttemptDeps,
): Promise<Executed> {
  const { clock, events } = deps;
  const { about, worker } = attempt;
  const prepared = prepare(worker.definition, attempt.handOut.constraints, accepted.payload);
  if (!prepared.ok) return { outcome: failed(prepared.error), execMs: 0 };
  if (attempt.cause !== undefined) return { outcome: failed(stopError(attempt.cause)), execMs: 0 };

  const { constraints, input } = prepared.value;
  const limits = limitsUnder(constraints, deps.limits);
  const runMs = runtimeUnder(constraints, accepted.remainingMs);
  const recorder = startRecorder(attempt, accepted.attempts, deps);
  const facts = { number: accepted.attempts, constraints, ...limits, recorder };
  const { context, meter, remembered, storeLast, close } = createContext(attempt, facts, deps);
  const cancelDeadline = clock.after(Math.max(0, askedAt + runMs - clock.monotonic()), () => attempt.stop('deadline'));
  events.emit({ type: 'started', ...about });
  const startedAt = clock.monotonic();
  let settled: Settled;
  try {
    settled = { value: await deps.run(worker.definition, input, context) };
  } catch (error) {
    settled = { error };
  }
  cancelDeadline();
  const execMs = Math.max(0, Math.round(clock.monotonic() - startedAt));
  if ('error' in settled && attempt.cause === undefined)
    attempt.log.info('the handler failed', { error: settled.error });
  events.emit({ type: 'settled', ...about, execMs });
  await close();
  const { resultBytes } = limits;
  const outcome =
    attempt.cause === 'deadline'
      ? timedOut(runMs)
      : await deps.turns.take(
          () => outcomeOf(settled, worker.definition, resultBytes),
          ({ result }) => result?.length ?? 0,
        );
  if (recorder !== undefined) await keepRecording(attempt, recorder, outcome, storeLast, deps);
  return { outcome, execMs, meter, remember: remembered() };
}

interface Prepared {
  readonly constraints: PolicyConstraints | undefined;
  readonly input: unknown;
}

/** The payload as the handler takes it, unless the constraints or the payload stand against that. */
export function prepare(
  definition: WorkerDefinition,
  constraintText: string,
  payload: string | null,
): Result<Prepared, CortexError> {
  const constraints = parseConstraints(constraintText);
  if (!constraints.ok) return constraints;
  const refused = refusal(constraints.value, definition.honours);
  if (refused !== undefined) return err(refused);
  let value: unknown = null;
  if (payload !== null) {
    try {
      value = JSON.parse(payload);
    } catch (error) {
      return err(new CortexError('invalid_argument', 'payload: is not JSON', { cause: error, field: 'payload' }));
    }
  }
  const input = definition.parse(value);
  return input.ok ? ok({ constraints: constraints.value, input: input.value }) : input;
}
