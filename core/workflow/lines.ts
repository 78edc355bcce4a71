// A run's memory as it is written down: one line per thing that happened or was wanted, in order, each a JSON text. What was wanted stands
// behind what it followed from, so that a replay can compare. Values are not here: results are in the store, signals in their own list.
import { z } from 'zod';
import { CortexError, errorCodes } from '#core/errors.ts';
import { isState, type JobState } from '#core/jobs/state.ts';
import type { Command, WorkflowEvent } from './effects.ts';
import { inputDigest } from './run.ts';

const at = z.number();
const step = { k: z.string(), n: z.int().min(1) };
const code = z.enum(errorCodes);

const line = z.discriminatedUnion('t', [
  // Before the begin of a rerun, in as many parts as it takes: what need not be done again.
  z.object({
    t: z.literal('seed'),
    of: z.string(),
    from: z.string(),
    // In the order of their ends.
    kept: z.array(z.object({ k: z.string(), id: z.string(), topic: z.string(), d: z.string() })),
    // Sleeps that were over (`k`) and signals that had come (the others), in order: after how many of those ends.
    owed: z.array(z.object({ n: z.int().min(0), k: z.string().optional() })).default([]),
  }),
  // What happened.
  // `req`: the request, as JSON of the protocol, for who wants to run it again. `tries`: the retries of steps that hold for this run.
  z.object({
    ...{ t: z.literal('begin'), at, name: z.string(), v: z.string() },
    ...{ req: z.unknown(), tries: z.int().min(0).optional() },
  }),
  z.object({
    t: z.literal('end'),
    at,
    ...step,
    id: z.string(),
    s: z.custom<JobState>((value) => typeof value === 'string' && isState(value)),
    /** Where its result is; absent for one that succeeded when there was none. `z`: its length, so that a reader knows how many fit. */
    p: z.string().optional(),
    z: z.int().min(0).optional(),
    /** Error code, message, the policy's reason. */
    c: z.string().optional(),
    m: z.string().optional(),
    r: z.string().optional(),
    /** Its worker called the failure final. */
    f: z.literal(true).optional(),
    /** When it was taken up and when it ended. */
    st: at.optional(),
    en: at.optional(),
  }),
  z.object({ t: z.literal('due'), at, k: z.string() }),
  z.object({ t: z.literal('signal'), at, i: z.int().min(0), name: z.string() }),
  z.object({ t: z.literal('stop'), at, c: code, m: z.string() }),
  // What was wanted. `d`: the digest of the input.
  z.object({ t: z.literal('start'), ...step, topic: z.string(), d: z.string() }),
  z.object({ t: z.literal('drop'), ...step }),
  z.object({ t: z.literal('halt'), ...step }),
  z.object({ t: z.literal('sleep'), k: z.string(), until: at }),
  z.object({ t: z.literal('wait'), name: z.string() }),
  z.object({ t: z.literal('leave'), w: z.enum(['sleep', 'signal']), name: z.string() }),
  z.object({ t: z.literal('refuse'), i: z.int().min(0), name: z.string(), m: z.string() }),
  z.object({ t: z.literal('undo'), c: z.string(), m: z.string() }),
]);
export type Line = z.output<typeof line>;
export type Wanted = Extract<Line, { t: 'start' | 'drop' | 'halt' | 'sleep' | 'wait' | 'leave' | 'refuse' | 'undo' }>;
export type Seed = Extract<Line, { t: 'seed' }>;
export type Happened = Exclude<Line, Wanted | Seed>;

/** Reads one. Throws `data_loss` for what none of ours wrote. */
export function parseLine(text: string): Line {
  try {
    return line.parse(JSON.parse(text));
  } catch (error) {
    throw new CortexError('data_loss', 'a line of the run is broken', { cause: error });
  }
}

export function isWanted(one: Line): one is Wanted {
  return ['start', 'drop', 'halt', 'sleep', 'wait', 'leave', 'refuse', 'undo'].includes(one.t);
}

/** A command as it is written down; undefined for one that is not. */
export function lineOfCommand(command: Command): Wanted | undefined {
  switch (command.type) {
    case 'start': {
      const { key, attempt, topic, payload } = command;
      return { t: 'start', k: key, n: attempt, topic, d: inputDigest(payload) };
    }
    case 'drop':
      return { t: 'drop', k: command.key, n: command.attempt };
    case 'halt':
      return { t: 'halt', k: command.key, n: command.attempt };
    case 'sleep':
      return { t: 'sleep', k: command.key, until: command.until };
    case 'wait':
      return { t: 'wait', name: command.name };
    case 'leave':
      return { t: 'leave', w: command.what, name: command.name };
    case 'refuse':
      return { t: 'refuse', i: command.index, name: command.name, m: command.why };
    case 'undo':
      return { t: 'undo', c: command.code, m: command.message };
    case 'progress':
      return undefined;
  }
}

type ChildTimes = { readonly startedAt: number; readonly endedAt: number };

/** An event as it is written down; that of the begin is made by who knows the definition. */
export function lineOfEvent(event: Exclude<WorkflowEvent, { type: 'begin' }>, times?: ChildTimes): Happened {
  const { at: when } = event;
  switch (event.type) {
    case 'end': {
      const { key, attempt, end } = event;
      const { jobId, state, resultPtr, errorCode, errorMessage, safetyReason, final, result } = end;
      return {
        ...{ t: 'end', at: when, k: key, n: attempt, id: jobId, s: state },
        // Told again, the run must hear the same: that there was none, or what it was.
        ...(resultPtr !== '' && (state !== 'SUCCEEDED' || result !== null) && { p: resultPtr }),
        ...(state === 'SUCCEEDED' && result !== null && { z: result.length }),
        ...(errorCode !== '' && { c: errorCode }),
        ...(errorMessage !== '' && { m: errorMessage }),
        ...(final && { f: true }),
        ...(state === 'DENIED' && safetyReason !== '' && { r: safetyReason }),
        ...(times !== undefined && times.startedAt > 0 && { st: times.startedAt }),
        ...(times !== undefined && times.endedAt > 0 && { en: times.endedAt }),
      };
    }
    case 'due':
      return { t: 'due', at: when, k: event.key };
    case 'signal':
      return { t: 'signal', at: when, i: event.index, name: event.name };
    case 'stop':
      return { t: 'stop', at: when, c: event.error.code, m: event.error.message };
  }
}

/** What a place in the run is called when it is told to a person. */
export function placeOf(one: Wanted): string {
  switch (one.t) {
    case 'start':
      return `step ${one.k} (${one.topic})`;
    case 'drop':
      return `the end of waiting for step ${one.k}`;
    case 'halt':
      return `stopping step ${one.k}`;
    case 'sleep':
      return `sleep ${one.k}`;
    case 'wait':
      return `waiting for signal ${one.name}`;
    case 'leave':
      return `the end of waiting for ${one.w} ${one.name}`;
    case 'refuse':
      return `refusing signal ${one.name}`;
    case 'undo':
      return 'undoing';
  }
}
