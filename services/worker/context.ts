// What a handler gets beside its input: facts about the attempt, and the ways in which it may speak before it ends.
import { CortexError } from '#core/errors.ts';
import { maxSaid } from '#core/context/memory/log.ts';
import { cutEntry } from '#core/context/memory/saying.ts';
import type { Remember } from '#core/jobs/store.ts';
import { maxOutputBytes } from '#core/jobs/output.ts';
import { formatPointer } from '#core/protocol/pointer.ts';
import type { PolicyConstraints } from '#proto/cortex/agent/v1/safety_pb.ts';
import { createArtifacts, type StoreArtifact } from './artifacts.ts';
import type { JobContext } from './define.ts';
import type { AbortCause } from './events.ts';
import type { Attempt, AttemptDeps } from './hosted.ts';
import { createMeter, type Meter } from './meter.ts';
import type { Recorder } from './recorder.ts';
import { createOutput, type OutputTexts } from './output.ts';
import { createProgress, type ProgressReports } from './progress.ts';
import { persist } from './retry.ts';

export interface ContextFacts {
  /** The attempt's number, from 1. */
  readonly number: number;
  readonly constraints: PolicyConstraints | undefined;
  readonly artifactBytes: number;
  /** undefined: nothing is recorded. */
  readonly recorder: Recorder | undefined;
}

export interface OpenContext {
  readonly context: JobContext;
  /** What it asked of models. */
  readonly meter: Meter;
  /** What a memory is to keep of it, by the handler's word. */
  readonly remembered: () => Remember | undefined;
  /** Stores an artifact of the host's own. */
  readonly storeLast: StoreArtifact;
  /** The handler has returned: its last progress and text go out, and what it still says is refused. Never throws. */
  close(): Promise<void>;
}

/** Causes of a stop that do not void the fence by themselves. */
const stillTaken: ReadonlySet<AbortCause> = new Set(['deadline', 'shutdown', 'lease']);

/** The context of one attempt. */
export function createContext(attempt: Attempt, facts: ContextFacts, deps: AttemptDeps): OpenContext {
  const { handOut, key, signal, worker } = attempt;
  const { recorder } = facts;
  let open = true;

  let progress: ProgressReports | undefined; // most handlers tell none
  const startProgress = (): ProgressReports =>
    createProgress({
      clock: deps.clock,
      async send(report) {
        try {
          const answer = await deps.calls.progress({ ...key, ...report });
          if (answer === 'ok') deps.news.progress(handOut, report, worker.id);
          else deps.onDoubt(attempt);
        } catch (error) {
          attempt.log.debug('progress could not be stored', { error });
        }
      },
    });

  let remembered: Remember | undefined;
  const meter = createMeter(attempt, deps);
  let output: OutputTexts | undefined;
  const startOutput = (): OutputTexts =>
    createOutput({
      clock: deps.clock,
      maxBytes: maxOutputBytes,
      onFull: () => attempt.log.warn('output is cut: an attempt gives out so much at most', { bytes: maxOutputBytes }),
      async send(text) {
        const call = () => deps.calls.output({ ...key, ...text });
        try {
          const answer = await persist(call, { clock: deps.clock, until: () => attempt.leaseEnd });
          if (answer === 'ok') deps.news.output(handOut);
          else if (answer === 'gap' || answer === 'full') {
            attempt.log.warn('output ends here: the store has lost some of it', { answer });
          } else {
            deps.events.emit({ type: 'stale', ...attempt.about, step: 'output', reason: undefined });
            deps.onDoubt(attempt);
          }
          return answer === 'ok';
        } catch (error) {
          attempt.log.warn('output ends here: it could not be stored', { error });
          return false;
        }
      },
    });

  const artifacts = createArtifacts({
    maxBytes: facts.artifactBytes,
    check() {
      signal.throwIfAborted();
      if (!open) throw new CortexError('aborted', 'the handler has returned already');
    },
    async store(name, bytes) {
      const stored = await deps.store.artifact({ ...key, name, bytes });
      if (stored !== undefined) return formatPointer(stored);
      deps.events.emit({ type: 'stale', ...attempt.about, step: 'artifact', reason: undefined });
      deps.onDoubt(attempt);
      throw new CortexError('aborted', 'this attempt does not count any more');
    },
  });

  return {
    context: {
      job: {
        id: handOut.id,
        topic: handOut.request.topic,
        tenant: handOut.tenant,
        traceId: handOut.traceId,
        attempt: facts.number,
        request: handOut.request,
      },
      worker: worker.id,
      signal,
      fence: handOut.fence,
      hold: { fence: key.fence, attempt: key.attempt },
      idempotencyKey: handOut.id,
      constraints: facts.constraints,
      progress: (percent, message = '') => {
        if (open && !signal.aborted) (progress ??= startProgress()).report(percent, message);
      },
      artifact: artifacts.store,
      remember(memory, said) {
        const kept = said.slice(0, maxSaid).map(({ role, content }) => ({ role, content: cutEntry(content.trim()) }));
        remembered = { memory, said: kept.filter(({ content }) => content !== '') };
      },
      meter,
      ...(recorder !== undefined && { recorder }),
      output: (text) => {
        if (open && !signal.aborted) (output ??= startOutput()).give(text);
      },
      get log() {
        return attempt.log;
      },
      now: () => recorder?.time(deps.clock.now()) ?? deps.clock.now(),
    },
    meter,
    remembered: () => remembered,
    storeLast: artifacts.storeLast,
    async close() {
      open = false;
      if (signal.aborted) progress?.close();
      else await progress?.flush();
      // Where the store may still take the outcome, it takes the text before it.
      if (attempt.cause === undefined || stillTaken.has(attempt.cause)) await output?.flush();
      else output?.close();
    },
  };
}
