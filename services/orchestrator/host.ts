// Hosts workflows: each is a worker whose handler runs a generator from its input to its output. So hand-outs, fences, leases, cancel and
// drain are those of every worker; a run is found again after a crash like any job, and its journal and its children tell how far it was.
import { z } from 'zod';
import type { Bus } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import { createEvents, type Events } from '#core/events.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import { otherWorkflowLimits, type WorkflowLimits } from '#core/scheduling/timeouts.ts';
import type { Clock } from '#core/system.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import type { Journal } from '#core/workflow/journal.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../worker/define.ts';
import { harmless } from '../worker/harmless.ts';
import { persist } from '../worker/retry.ts';
import { createChildren, LostHold, type Parent } from './children.ts';
import { createEnds } from './ends.ts';
import type { OrchestratorEvent } from './events.ts';
import { createPlaces } from './places.ts';
import { takeUp } from './run.ts';
import { createSignalBell } from './signals.ts';

export interface OrchestratorOptions {
  readonly bus: Bus;
  readonly store: JobStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Of several with one topic, which are versions of one workflow, the first is the newest. */
  readonly workflows: readonly WorkflowDefinition[];
  /** By the workflow's name. */
  readonly limits: ReadonlyMap<string, WorkflowLimits>;
  /** Runs at once of each workflow: they wait far more than they work. Default 256. */
  readonly parallel?: number;
}

export interface Orchestrator {
  /** To be hosted like any worker: one for each topic, in the order of the workflows. */
  readonly workers: readonly WorkerDefinition[];
  readonly events: Events<OrchestratorEvent>;
  /** Listens for the ends of children and for signals; before the workers are hosted. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs whose memory is read at once: each holds its journal and a page of results (memory.ts) meanwhile. */
const takenUpAtOnce = 4;

/** An orchestrator of these workflows. Throws RangeError for two of one topic that have one version, or two names. */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  const { bus, store, journal, clock, log } = options;
  const events = createEvents<OrchestratorEvent>();
  const ends = createEnds({ bus, store, clock, log });
  const bell = createSignalBell({ bus, journal, clock, log });
  const children = createChildren({ store, journal, post: (message) => bus.post(message), clock, log });
  const deps = { store, journal, children, ends, bell, places: createPlaces(takenUpAtOnce), clock, log, events };

  const handle = async (versions: Versions, payload: unknown, context: JobContext): Promise<unknown> => {
    const { job, signal } = context;
    const [{ name }] = versions;
    const limits = options.limits.get(name) ?? otherWorkflowLimits;
    const parent = await open(context, store, clock);
    let begunAt = clock.now();
    let how = 'failed' as How;
    events.emit({ type: 'run_begun', job: job.id, workflow: name, replay: job.attempt > 1 });
    const run = takeUp(
      {
        ...{ parent, versions, payload, limits, signal, progress: context.progress, log: context.log },
        again: job.attempt > 1,
        onBegun(at) {
          begunAt = at;
        },
      },
      deps,
    );
    try {
      const result = await run.result;
      how = signal.aborted ? stoppedHow(signal) : 'completed';
      return result;
    } catch (error) {
      // Who holds it now goes on with its children.
      how = error instanceof LostHold ? 'left' : signal.aborted ? stoppedHow(signal) : 'failed';
      throw error;
    } finally {
      // Children that nobody waits for any more have no reason to go on; those of a run that moves elsewhere do.
      if (how !== 'left') await children.cancel(parent, Array.from(run.open.keys()), 'ended');
      events.emit({
        ...{ type: 'run_over', job: job.id, workflow: name, how },
        tookMs: Math.max(0, clock.now() - begunAt),
      });
    }
  };

  return {
    events,
    workers: versionsOf(options.workflows).map((versions) =>
      defineWorker({
        topic: versions[0].topic,
        pool: 'workflow',
        parallel: options.parallel ?? 256,
        capabilities: ['workflow'],
        honours: harmless,
        // Each version reads it for itself.
        input: z.unknown(),
        handle: (payload, context) => handle(versions, payload, context),
      }),
    ),
    async start() {
      await ends.start();
      await bell.start();
    },
    async stop() {
      await bell.stop();
      await ends.stop();
    },
  };
}

type Versions = readonly [WorkflowDefinition, ...WorkflowDefinition[]];

function versionsOf(workflows: readonly WorkflowDefinition[]): readonly Versions[] {
  return Array.from(Map.groupBy(workflows, ({ topic }) => topic).values(), (versions) => {
    const [newest] = versions;
    const known = new Set(versions.map(({ version }) => version));
    if (newest === undefined || versions.some(({ name }) => name !== newest.name)) {
      throw new RangeError(`two workflows have the topic ${newest?.topic}`);
    }
    if (known.size < versions.length) throw new RangeError(`two workflows ${newest.name} have one version`);
    return versions as unknown as Versions;
  });
}

type How = Extract<OrchestratorEvent, { type: 'run_over' }>['how'];

/** What a run came to that was told to stop: what ends the job ends it for everybody, the rest is about this process alone. */
function stoppedHow({ reason }: AbortSignal): How {
  if (!(reason instanceof CortexError)) return 'left';
  if (reason.code === 'canceled') return 'cancelled';
  return reason.code === 'deadline_exceeded' ? 'failed' : 'left';
}

/** The run's job as its record has it. Waits for a store that is away. */
async function open({ job, worker, signal, hold }: JobContext, store: JobStore, clock: Clock): Promise<Parent> {
  const { id, tenant, traceId, request } = job;
  const patience = { clock, until: () => Number.POSITIVE_INFINITY, signal };
  const view = await persist(() => store.view(id, tenant), patience);
  signal.throwIfAborted();
  if (view === undefined) throw new CortexError('aborted', `job ${id} is not there any more`);
  return { id, tenant, traceId, request, principal: view.principal, sender: worker, hold };
}
