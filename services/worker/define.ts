// What a worker is: a topic, a pool, a number of jobs at once, the shape of its input, and a function. No bus, no store: hosting is
// host.ts. Example:
//
//   export const echo = defineWorker({ topic: 'job.echo', pool: 'echo', parallel: 8, input: z.unknown(),
//     handle: (input, { job }) => ({ job_id: job.id, received_ctx: input }) });
//
// How a handler fails decides what follows. A CortexError speaks for itself: its code says whether another attempt may help
// (isRetryable). Anything else that is thrown is a surprise, and surprises are often gone the next time (a socket, a full disk):
// `internal`, and worth another attempt while the topic has retries left.
import type { z } from 'zod';
import type { CortexError } from '#core/errors.ts';
import type { Saying } from '#core/context/memory/log.ts';
import type { Fence } from '#core/jobs/job.ts';
import type { Log } from '#core/log.ts';
import { isTopic } from '#core/protocol/subjects.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import type { ToolRequest } from '#core/model/recording.ts';
import type { Result } from '#core/result.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import type { PolicyConstraints } from '#proto/cortex/agent/v1/safety_pb.ts';
import type { Meter } from './meter.ts';
import type { Recorder } from './recorder.ts';

export interface AttemptJob {
  readonly id: string;
  readonly topic: string;
  readonly tenant: string;
  readonly traceId: string;
  /** The attempt's number, from 1. */
  readonly attempt: number;
  /** The request as it was submitted: env, labels, priority, parent. */
  readonly request: JobRequest;
}

/** What a handler gets beside its input. Plain data and functions: it is the same in a thread. */
export interface JobContext {
  readonly job: AttemptJob;
  /** The id of the worker that runs it. */
  readonly worker: string;
  /**
   * Aborted by deadline, cancel, a lost lease, a takeover of the worker's id, or shutdown; the reason is a CortexError. What the
   * handler does after that counts for nothing, and its slot stays taken until it returns.
   */
  readonly signal: AbortSignal;
  /** Grows with every hand-out of the job: a store that remembers the highest one can refuse an older attempt's writes. */
  readonly fence: string;
  /** Both parts of what the store compares, for stores of ours that compare them too. */
  readonly hold: Fence;
  /** The same for every attempt of the job: for effects that must happen once. */
  readonly idempotencyKey: string;
  /** What the policy demands; undefined when it demands nothing. Those that the worker does not honour were refused before. */
  readonly constraints: PolicyConstraints | undefined;
  /** Tells how far it is: 0 to 100 and a short text. At most four a second are passed on, the last one always. */
  progress(percent: number, message?: string): void;
  /**
   * Gives out text as it is made, for whoever follows the job; about every 40 ms what has come goes out together. Another attempt begins
   * anew, and the result is told apart from it. What is beyond 1 MiB is dropped.
   */
  output(text: string): void;
  /**
   * Stores bytes under `[a-z0-9-]{1,40}` and answers their pointer; of two at once the later waits for the earlier. Throws CortexError:
   * `invalid_argument` for the name, `out_of_range` beyond the job's limit or 32 names, `aborted` when this attempt no longer counts or
   * the handler has returned, `unavailable`.
   */
  artifact(name: string, bytes: Uint8Array): Promise<string>;
  /**
   * What the memory keeps of the job, once, if this attempt is the one that succeeds: it is written with its outcome. Absent in a thread.
   */
  readonly remember?: (memory: string, said: readonly Saying[]) => void;
  /** Hears of what was asked of models: asking.ts tells it. Absent where nobody counts, as in a thread. */
  readonly meter?: Pick<Meter, 'sent'>;
  /** Keeps what is said to models and tools and by them, where that was asked for: asking.ts and tool.ts tell it. */
  readonly recorder?: Pick<Recorder, 'exchange'>;
  /** In a replay: what a tool answered when it was recorded. */
  readonly recordedTool?: (use: ToolRequest) => Promise<string>;
  /** Carries job_id, trace_id and tenant. */
  readonly log: Log;
  /** Wall clock, ms since the epoch. */
  now(): number;
}

export type Handler<I, O> = (input: I, context: JobContext) => O | Promise<O>;

/** The constraints of a policy that a worker can keep to. A job with another one is refused. */
export const constraintNames = [
  'sandbox.isolated',
  'sandbox.network_allowlist',
  'sandbox.fs_read_only',
  'sandbox.fs_read_write',
  'toolchain.allowed_tools',
  'toolchain.allowed_commands',
  'diff.max_files',
  'diff.max_lines',
  'diff.deny_path_globs',
  'redaction_level',
] as const;
export type ConstraintName = (typeof constraintNames)[number];

export interface WorkerDefinition {
  readonly topic: string;
  readonly pool: string;
  /** Jobs at once. */
  readonly parallel: number;
  readonly capabilities: readonly string[];
  readonly honours: ReadonlySet<ConstraintName>;
  /** The payload as the handler takes it, or an error that names the field. */
  readonly parse: (payload: unknown) => Result<unknown, CortexError>;
  /** The result as the schema lets it pass. */
  readonly check: (result: unknown) => Result<unknown, CortexError>;
  readonly run:
    | { readonly here: Handler<unknown, unknown> }
    | { readonly thread: URL; readonly load: Handler<unknown, unknown>; readonly finish: Finish };
}

interface WorkerSpec<S extends z.ZodType, O> {
  readonly topic: string;
  readonly pool: string;
  readonly parallel: number;
  /** Defaults to none. */
  readonly capabilities?: readonly string[];
  /** Defaults to none: a job that brings such constraints is refused. */
  readonly honours?: readonly ConstraintName[];
  readonly input: S;
  readonly output?: z.ZodType<O>;
}

/** A handler in the host's own thread: for work that waits. It must never keep the event loop busy for long. */
interface HereSpec<S extends z.ZodType, O> extends WorkerSpec<S, O> {
  readonly handle: Handler<z.output<S>, O>;
}

/** A module that calls `serveThread(handler)`: for work that computes. It may block as long as it likes. */
interface ThreadSpec<S extends z.ZodType, O> extends WorkerSpec<S, O> {
  readonly thread: URL;
  /** Runs before it, in the host: fetches what a thread cannot, and answers what the thread gets for its input. */
  readonly load?: Handler<z.output<S>, unknown>;
  /** Runs behind it, in the host: what becomes of its result. */
  readonly finish?: (result: O, input: z.output<S>, context: JobContext) => O | Promise<O>;
}

type Finish = (result: unknown, input: unknown, context: JobContext) => unknown;

const same = (input: unknown): unknown => input;

/** Defines a worker. Throws RangeError for a topic, pool or number that cannot be. */
export function defineWorker<S extends z.ZodType, O>(spec: HereSpec<S, O> | ThreadSpec<S, O>): WorkerDefinition {
  if (!isTopic(spec.topic)) throw new RangeError(`${spec.topic} is not a topic`);
  if (spec.pool === '') throw new RangeError(`the worker of ${spec.topic} names no pool`);
  if (!Number.isInteger(spec.parallel) || spec.parallel < 1)
    throw new RangeError(`parallel of ${spec.topic} must be at least 1`);
  const { input, output } = spec;
  return {
    topic: spec.topic,
    pool: spec.pool,
    parallel: spec.parallel,
    capabilities: spec.capabilities ?? [],
    honours: new Set(spec.honours),
    parse: (payload) => parsePayload(input, payload),
    check: (result) => (output === undefined ? { ok: true, value: result } : parsePayload(output, result, 'result')),
    // The input has been through the schema by the time the handler sees it.
    run:
      'thread' in spec
        ? {
            thread: spec.thread,
            load: (spec.load ?? same) as Handler<unknown, unknown>,
            finish: (spec.finish ?? same) as Finish,
          }
        : { here: spec.handle as Handler<unknown, unknown> },
  };
}
