// What a workflow is to whoever writes one: a job whose steps are jobs, written down in one file as a generator from its input to its
// output. `yield*` waits.
//
//   const scan = defineTask({ topic: 'job.repo.scan', input: repoScanContext, output: repoScanResult });
//   export const review = defineWorkflow({ name: 'repo_code_review', topic: 'job.workflow.repo.code_review', input, output,
//     *run(input, w) {
//       const { value, pointer } = yield* w.run('scan', scan, { local_path: input.local_path });
//       const looked = yield* w.map(value.files, { limit: 8 }, (file, i) => w.run(`look-${i}`, look, { path: file.path, pointer }));
//       return { files: looked.map((one) => one.value) };
//     } });
//
// The generator is run again from its begin whenever somebody else has to go on with a run; steps that have ended are not done again, their
// ends are handed to it. So it must do the same every time: no clock, no chance, nothing from outside but its input and what it waits for.
// It cannot wait for anything else by construction, and a change between two runs is noticed at the step where it shows.
import { z } from 'zod';
import { isTopic } from '#core/protocol/subjects.ts';
import type { Effect } from './effects.ts';
import { isStepKey, workflowName, workflowPrefix } from './run.ts';

/** Something to wait for: `const value = yield* op`. It begins when it is waited for. */
export type Op<T> = Generator<Effect, T, unknown>;

/** What a step does: a topic, what its worker takes, and how its result is read. */
export interface Task<I, O> {
  readonly topic: string;
  readonly input: z.ZodType<unknown, I>;
  readonly output: z.ZodType<O>;
}

/** The same, where lists may be ones that nobody changes. */
export type Readable<T> = T extends readonly (infer E)[]
  ? readonly Readable<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Readable<T[K]> }
    : T;

/** Defines a task. Throws RangeError for a topic that cannot be. */
export function defineTask<I, O>(task: Task<I, O>): Task<I, O> {
  if (!isTopic(task.topic)) throw new RangeError(`${task.topic} is not a topic`);
  return task;
}

/** What holds for one step, where the workflow's defaults do not. */
export interface StepPolicy {
  /** Of one try, from its submission to its end, ms. */
  readonly timeoutMs?: number;
  /** Tries after a failure that may pass. */
  readonly maxRetries?: number;
  /** Before the second try, ms, at least 1,000; it doubles with each, up to a minute. */
  readonly pauseMs?: number;
  /** `fail` (the default) throws at the `yield*`; `continue` gives undefined instead of a result. Stopping is never continued. */
  readonly onFailure?: 'fail' | 'continue';
  /** Into the child's request: a hint for its worker (default: the run's own), and the step's place, for whoever shows it. */
  readonly adapterId?: string;
  readonly stepIndex?: number;
}

export interface StepResult<O> {
  readonly value: O;
  /** Where the result is: `redis://res:<job id>`, for steps that read it themselves. */
  readonly pointer: string;
  readonly jobId: string;
}

/** What a generator gets beside its input. Keys name steps: `[a-z0-9-]`, 40 characters at most, unique within the run. */
export interface WorkflowContext {
  /** The run: its job's id. */
  readonly runId: string;
  /** What the request says it belongs to: its workflow_id, else the job above it, else itself. */
  readonly workflowId: string;
  /**
   * Runs a child job and gives its result. Throws CortexError whose message begins with `<key> failed: `: the input is wrong, the child
   * failed, was denied or cancelled, its result is wrong or gone.
   */
  run<I, O>(
    key: string,
    task: Task<I, O>,
    input: Readable<I>,
    policy: StepPolicy & { readonly onFailure: 'continue' },
  ): Op<StepResult<O> | undefined>;
  run<I, O>(key: string, task: Task<I, O>, input: Readable<I>, policy?: StepPolicy): Op<StepResult<O>>;
  /** All at once. The first that throws stops the others, and is thrown. */
  all<T extends readonly Op<unknown>[]>(
    ops: readonly [...T],
  ): Op<{ -readonly [K in keyof T]: T[K] extends Op<infer R> ? R : never }>;
  /** Fan-out: `work` for each item, at most `limit` at a time, results in the order of the items. Fails as `all` does. */
  map<T, R>(items: readonly T[], options: { readonly limit: number }, work: (item: T, index: number) => Op<R>): Op<R[]>;
  /**
   * The first to end, by its name, whether it gives or throws; the others are stopped, their children cancelled. A child that is a workflow is
   * told to stop and waited for, so that it undoes what it did.
   */
  race<T extends Readonly<Record<string, Op<unknown>>>>(ops: T): Op<Raced<T>>;
  /** What `op` gives. Throws `deadline_exceeded`, naming the key, and stops it when it takes longer. At least 1,000 ms. */
  timeout<T>(key: string, ms: number, op: Op<T>): Op<T>;
  /** Again from the begin, `tries` times in all, while it throws what may pass; `work` must give each try keys of its own. */
  retry<T>(
    key: string,
    options: { readonly tries: number; readonly pauseMs?: number },
    work: (attempt: number) => Op<T>,
  ): Op<T>;
  /** 1,000 ms to 24 hours; it ends on time wherever the run is by then. */
  sleep(key: string, ms: number): Op<void>;
  /**
   * The next value sent to `POST /api/v1/workflows/{id}/signals/{name}`, also if it came before somebody waited. One that the schema refuses
   * is noted in the timeline and passed over.
   */
  signal<S extends z.ZodType>(name: string, schema: S): Op<z.output<S>>;
  /** Should the run fail from here on, or be stopped by the signal `stop`, `undo` is run; the last first, one that fails does not keep the others. */
  compensate(undo: () => Op<unknown>): void;
  /** How far the workflow is: 0 to 100 and a short text. */
  progress(percent: number, message?: string): void;
  /** The time of what the run was told last, ms since the epoch: the same in every replay. */
  now(): number;
}

export type Raced<T> = {
  [K in keyof T]: { readonly name: K; readonly value: T[K] extends Op<infer R> ? R : never };
}[keyof T];

interface WorkflowSpec<S extends z.ZodType, O> {
  /** Its name in config/timeouts.yaml and in metrics: what its topic has behind `job.workflow.`, with `_` for dots and `-`. */
  readonly name: string;
  /**
   * A run stays with the version that it began with. A change that would make open runs do something else is a new version, and the old one
   * is kept beside it until they have ended. Default `1`.
   */
  readonly version?: string;
  readonly topic: string;
  readonly input: S;
  readonly output: z.ZodType<O>;
  readonly run: (input: z.output<S>, w: WorkflowContext) => Op<O>;
}

/** A workflow whose types nobody needs to know any more. */
export interface WorkflowDefinition {
  readonly name: string;
  readonly version: string;
  readonly topic: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly run: (input: unknown, w: WorkflowContext) => Op<unknown>;
}

/** Defines a workflow. Throws RangeError for a name, version or topic that cannot be. */
export function defineWorkflow<S extends z.ZodType, O>(spec: WorkflowSpec<S, O>): WorkflowDefinition {
  const { name, topic, version = '1' } = spec;
  if (!isTopic(topic) || !topic.startsWith(workflowPrefix)) {
    throw new RangeError(`${topic} is not a topic of workflows: ${workflowPrefix}<name>`);
  }
  if (!isStepKey(name.replaceAll('_', '-'))) throw new RangeError(`${name} is not a name for a workflow`);
  if (workflowName(topic) !== name)
    throw new RangeError(`a workflow of ${topic} is called ${workflowName(topic)}, not ${name}`);
  if (!/^[A-Za-z0-9._-]{1,40}$/.test(version)) throw new RangeError(`${version} is not a version`);
  // The input has been through the schema by the time the generator sees it.
  return { ...spec, version, run: spec.run as WorkflowDefinition['run'] };
}
