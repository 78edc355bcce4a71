// Records what one attempt says to its models and tools and hears from them, and what its clock told, as an artifact of the job; the lines are
// those of core/model/recording.ts. Bounded: beyond the bound it keeps nothing more and says that it is cut.
import { toJson } from '@bufbuild/protobuf';
import { toCortexError } from '#core/errors.ts';
import type { ModelPart } from '#core/model/model.ts';
import {
  type AttemptLine,
  type EndLine,
  maxRecordingBytes,
  type RecordedExchange,
  recordedPart,
  recordingName,
  type ToolRequest,
} from '#core/model/recording.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import type { StoreArtifact } from './artifacts.ts';
import type { Question } from './asking.ts';
import type { Attempt, AttemptDeps } from './hosted.ts';
import type { Outcome } from './outcome.ts';
import { persist } from './retry.ts';

export const recordingOf = ['asked', 'all', 'off'] as const;

export interface Recording {
  /** `asked`: of jobs whose env has `record=true`; `all`: also of every other attempt that asks a model; `off`: of none. */
  readonly of: (typeof recordingOf)[number];
  /** The model that answers; undefined: none is configured. */
  readonly model: string | undefined;
}

export interface OpenExchange {
  /** `cost` in US dollars. */
  part(part: ModelPart, cost: number | undefined): void;
  failed(error: unknown): void;
}

export interface Recorder {
  /** Begins an exchange; one that is neither ended nor failed was left by its reader. */
  exchange(request: Question | ToolRequest): OpenExchange;
  /** Notes what the handler is told as the time, and answers it. */
  time(ms: number): number;
  /** Whether there is a recording to keep. */
  readonly wanted: boolean;
  bytes(end: Pick<EndLine, 'status' | 'error_code' | 'error_message' | 'deadline'>, most?: number): Uint8Array;
}

/** How long the outcome waits for a store that does not take the recording, ms; the lease is kept meanwhile. */
const patienceMs = 5_000;

/** Times that are noted at most. */
const maxTimes = 10_000;

/** undefined: this job is not recorded. */
export function startRecorder(attempt: Attempt, number: number, { recording }: AttemptDeps): Recorder | undefined {
  const { handOut, worker } = attempt;
  const asked = handOut.request.env['record'] === 'true';
  if (recording.of === 'off' || (recording.of === 'asked' && !asked)) return undefined;
  const first: AttemptLine = {
    ...{ type: 'attempt', version: 1, topic: handOut.request.topic, tenant: handOut.tenant },
    ...{ trace_id: handOut.traceId, worker: worker.id, fence: handOut.fence, attempt: number },
    request: toJson(JobRequestSchema, handOut.request) as Record<string, unknown>,
    ...{ constraints: handOut.constraints, model: recording.model ?? null },
  };
  return createRecorder(first, asked);
}

/** `always`: an attempt that asked no model is a recording as well. */
export function createRecorder(first: AttemptLine, always: boolean): Recorder {
  const encoder = new TextEncoder();
  const exchanges: { request: string; readonly parts: string[]; error: string | undefined }[] = [];
  const times: number[] = [];
  let kept = 0;
  let cut = false;
  let asked = false;

  /** The text, if there is room for it and it is JSON. */
  const keep = (value: unknown): string | undefined => {
    let text: string;
    try {
      text = JSON.stringify(value);
    } catch {
      cut = true; // nested too deep, or in a circle: the job goes on without its recording
      return undefined;
    }
    kept += encoder.encode(text).length + 1; // a comma or the end of a line; what else is written is counted when all is there
    if (kept > maxRecordingBytes) cut = true;
    return cut ? undefined : text;
  };

  return {
    exchange(asks) {
      asked ||= 'messages' in asks;
      const request = keep(asks);
      if (request === undefined) return { part: () => undefined, failed: () => undefined };
      const one: (typeof exchanges)[number] = { request, parts: [], error: undefined };
      exchanges.push(one);
      return {
        part(part, cost) {
          const text = keep(recordedPart(part, cost));
          if (text !== undefined) one.parts.push(text);
        },
        failed(error) {
          const { code, message } = toCortexError(error);
          one.error = keep({ code, message });
        },
      };
    },
    time(ms) {
      if (times.length < maxTimes) times.push(ms);
      else cut = true;
      return ms;
    },
    get wanted() {
      return asked || always;
    },
    bytes(end, most = Number.POSITIVE_INFINITY) {
      const type: RecordedExchange['type'] = 'exchange';
      const body = exchanges.map(({ request, parts, error }) => {
        const tail = error === undefined ? '' : `,"error":${error}`;
        return `{"type":"${type}","request":${request},"parts":[${parts.join(',')}]${tail}}`;
      });
      const lines = (isCut: boolean, middle: readonly string[]): Uint8Array => {
        const last: EndLine = { type: 'end', times: isCut ? [] : times, ...end, cut: isCut };
        return encoder.encode([JSON.stringify(first), ...middle, JSON.stringify(last), ''].join('\n'));
      };
      const whole = lines(cut, cut ? [] : body);
      return whole.length <= most ? whole : lines(true, []);
    },
  };
}

/** Stores the recording before the attempt is told to the store, whatever it came to. Never throws: a job is more than its recording. */
export async function keepRecording(
  attempt: Attempt,
  recorder: Recorder,
  outcome: Outcome,
  store: StoreArtifact,
  { clock }: Pick<AttemptDeps, 'clock'>,
): Promise<void> {
  // Told to stop for another reason than its own time: no outcome of this attempt counts.
  if (!recorder.wanted || (attempt.cause !== undefined && attempt.cause !== 'deadline')) return;
  const { status, errorCode, errorMessage } = outcome;
  const end = { status, error_code: errorCode, error_message: errorMessage, deadline: attempt.cause === 'deadline' };
  const until = clock.monotonic() + patienceMs;
  const keep = (bytes: Uint8Array): Promise<void> => {
    const once = async (): Promise<void> => {
      try {
        await store(recordingName, bytes);
      } catch (error) {
        // Another attempt holds the job by now: that will not change.
        if (toCortexError(error).code !== 'aborted') throw error;
      }
    };
    return persist(once, { clock, until: () => until });
  };
  try {
    try {
      await keep(recorder.bytes(end, maxRecordingBytes));
    } catch (error) {
      if (toCortexError(error).code !== 'out_of_range') throw error;
      await keep(recorder.bytes(end, 0)); // the policy allows fewer bytes: then at least why it is not there
    }
  } catch (error) {
    attempt.log.warn('the recording of an attempt could not be stored', { error });
  }
}
