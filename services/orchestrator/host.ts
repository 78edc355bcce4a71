// Workflows as workers: each is a worker whose handler runs the workflow, so that leases, fences, retries, cancel and drain are those of
// every job. What a run does is run.ts.
import type { Bus } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import { createEvents, type Events } from '#core/events.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import type { WorkflowLimits } from '#core/scheduling/timeouts.ts';
import type { Clock } from '#core/system.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../worker/define.ts';
import { harmless } from '../worker/harmless.ts';
import { persist } from '../worker/retry.ts';
import { createChildren, type Parent } from './children.ts';
import { createEnds } from './ends.ts';
import type { OrchestratorEvent } from './events.ts';
import { createRun } from './run.ts';

export interface OrchestratorOptions {
  readonly bus: Bus;
  readonly store: JobStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly workflows: readonly WorkflowDefinition[];
  /** By the workflow's name. */
  readonly limits: ReadonlyMap<string, WorkflowLimits>;
  /** Runs at once of each workflow: they wait far more than they work. Default 16. */
  readonly parallel?: number;
}

export interface Orchestrator {
  /** To be hosted like any worker. */
  readonly workers: readonly WorkerDefinition[];
  readonly events: Events<OrchestratorEvent>;
  /** Listens for the ends of children; before the workers are hosted. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What holds for a workflow that config/timeouts.yaml does not name: the original's numbers. */
const otherLimits: WorkflowLimits = { childTimeoutMs: 240_000, totalTimeoutMs: 1_800_000, maxRetries: 1 };

/** An orchestrator of these workflows. */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  const { bus, store, clock, log } = options;
  const events = createEvents<OrchestratorEvent>();
  const ends = createEnds({ bus, store, clock, log });
  const children = createChildren({ store, ends, post: (message) => bus.post(message), clock, log });

  const handle = async (workflow: WorkflowDefinition, input: unknown, context: JobContext): Promise<unknown> => {
    const { job, signal } = context;
    const limits = options.limits.get(workflow.name) ?? otherLimits;
    const { parent, begunAt } = await open(context, store, clock);
    const elapsed = (): number => Math.max(0, clock.now() - begunAt);
    events.emit({ type: 'run_begun', job: job.id, workflow: workflow.name, replay: job.attempt > 1 });
    const run = createRun({
      ...{ parent, children, clock, events, signal, progress: context.progress },
      childTimeoutMs: limits.childTimeoutMs,
      maxRetries: limits.maxRetries,
      remainingMs: () => limits.totalTimeoutMs - elapsed(),
    });
    let how = 'failed' as How;
    try {
      const result = checked(workflow, await workflow.run(input, run.context));
      how = signal.aborted ? stoppedHow(signal) : 'completed';
      return result;
    } catch (error) {
      how = signal.aborted ? stoppedHow(signal) : 'failed';
      throw error;
    } finally {
      // Children that nobody waits for any more have no reason to go on; those of a run that moves elsewhere do.
      if (how !== 'left') await children.cancel(parent, Array.from(run.open));
      events.emit({ type: 'run_over', job: job.id, workflow: workflow.name, how, tookMs: elapsed() });
    }
  };

  return {
    events,
    workers: options.workflows.map((workflow) =>
      defineWorker({
        topic: workflow.topic,
        pool: 'workflow',
        parallel: options.parallel ?? 16,
        capabilities: ['workflow'],
        honours: harmless,
        input: workflow.input,
        handle: (input, context) => handle(workflow, input, context),
      }),
    ),
    start: () => ends.start(),
    stop: () => ends.stop(),
  };
}

type How = Extract<OrchestratorEvent, { type: 'run_over' }>['how'];

/** What a run came to that was told to stop: what ends the job ends it for everybody, the rest is about this process alone. */
function stoppedHow({ reason }: AbortSignal): How {
  if (!(reason instanceof CortexError)) return 'left';
  if (reason.code === 'canceled') return 'cancelled';
  return reason.code === 'deadline_exceeded' ? 'failed' : 'left';
}

/** The result as its schema lets it pass. Throws `internal`: running it again makes the same result. */
function checked({ output }: WorkflowDefinition, result: unknown): unknown {
  const parsed = parsePayload(output, result, 'result');
  if (parsed.ok) return parsed.value;
  throw new CortexError('internal', `the workflow's result is wrong: ${parsed.error.message}`, { cause: parsed.error });
}

/** The run's job as its record has it, and when it was begun first. Waits for a store that is away. */
async function open(
  { job, worker, signal, now }: JobContext,
  store: JobStore,
  clock: Clock,
): Promise<{ readonly parent: Parent; readonly begunAt: number }> {
  const { id, tenant, traceId, request } = job;
  const patience = { clock, until: () => Number.POSITIVE_INFINITY, signal };
  const view = await persist(() => store.view(id, tenant), patience);
  signal.throwIfAborted();
  if (view === undefined) throw new CortexError('aborted', `job ${id} is not there any more`);
  const parent = { id, tenant, traceId, request, principal: view.principal, sender: worker };
  if (job.attempt === 1) return { parent, begunAt: view.startedAt };
  const steps = await persist(() => store.transitions(id, tenant), patience);
  const first = steps?.find((step) => step.endsWith('|RUNNING'));
  return { parent, begunAt: first === undefined ? now() : Number.parseInt(first, 10) * 1000 };
}
