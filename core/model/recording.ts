// What was said between an attempt and its models and tools, as lines of JSON: one about the attempt, one for each exchange in the order in
// which they were begun, one about the end. It holds all that a handler heard, so that it can be run again without anybody being asked.
import { z } from 'zod';
import { errorCodes } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { ModelPart } from './model.ts';

/** The name of the artifact; a handler may not use it. */
export const recordingName = 'exchanges';

/** Bytes of a recording at most; a longer one is cut, says so, and cannot be replayed. */
export const maxRecordingBytes = 4 * 2 ** 20;

/** To a model, without what is the attempt's: messages, tools, bounds. */
const modelRequest = z.looseObject({ messages: z.array(z.unknown()) });

/** To a program that the handler runs; its answer is one part of text. */
const toolRequest = z.object({ tool: z.string(), input: z.record(z.string(), z.unknown()) });

const request = z.union([modelRequest, toolRequest]);

const usage = z.object({ inputTokens: z.number(), outputTokens: z.number() });
const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('tool_call'), id: z.string(), name: z.string(), input: z.unknown() }),
  z.object({
    type: z.literal('end'),
    model: z.string(),
    finish: z.enum(['stop', 'length', 'tool_calls', 'filtered', 'other']),
    usage: usage.optional(),
    /** US dollars; absent: not known. */
    cost: z.number().optional(),
  }),
]);

const attemptLine = z.object({
  type: z.literal('attempt'),
  version: z.literal(1),
  topic: z.string(),
  tenant: z.string(),
  trace_id: z.string(),
  /** The id of the worker that ran it. */
  worker: z.string(),
  fence: z.string(),
  /** From 1. */
  attempt: z.number(),
  /** The job as it was submitted, proto3 JSON of JobRequest: env, labels and so on. */
  request: z.record(z.string(), z.unknown()),
  /** Of the policy, JSON; empty for none. */
  constraints: z.string(),
  /** The model that answers there; null: none is configured. */
  model: z.string().nullable(),
});

const exchangeLine = z.object({
  type: z.literal('exchange'),
  request,
  parts: z.array(part),
  /** How it ended without an `end` part; neither: its reader left. */
  error: z.object({ code: z.enum(errorCodes), message: z.string() }).optional(),
});

const endLine = z.object({
  type: z.literal('end'),
  /** What the clock said, each time that the handler asked; ms. */
  times: z.array(z.number()),
  status: z.string(),
  error_code: z.string(),
  error_message: z.string(),
  /** Its time was over: the status is not the handler's. */
  deadline: z.boolean(),
  /** Something is missing here, since there was too much. */
  cut: z.boolean(),
});

export type AttemptLine = z.output<typeof attemptLine>;
export type RecordedRequest = z.output<typeof request>;
export type ToolRequest = z.output<typeof toolRequest>;
export type RecordedPart = z.output<typeof part>;
export type RecordedExchange = z.output<typeof exchangeLine>;
export type EndLine = z.output<typeof endLine>;

export const recordingShape = z.object({
  attempt: attemptLine,
  exchanges: z.array(exchangeLine),
  end: endLine,
});
export type Recording = z.output<typeof recordingShape>;

/** The lines as a recording, or what is wrong with them. */
export function parseRecording(text: string): Result<Recording, string> {
  const lines: unknown[] = [];
  try {
    for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line));
  } catch (error) {
    return err(`a line is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const [attempt, ...rest] = lines;
  const parsed = recordingShape.safeParse({ attempt, exchanges: rest.slice(0, -1), end: rest.at(-1) });
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  return err(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** The part as a recording has it; `cost` in US dollars. */
export function recordedPart(one: ModelPart, cost: number | undefined): RecordedPart {
  if (one.type !== 'end') return one;
  const { type, model, finish } = one;
  return { type, model, finish, ...(one.usage && { usage: one.usage }), ...(cost !== undefined && { cost }) };
}

/** Where two values of JSON differ first. */
export interface Difference {
  /** `messages[0].content`; empty for the whole. */
  readonly path: string;
  /** As text: strings as they are, anything else as JSON; undefined: there is none. */
  readonly recorded: string | undefined;
  readonly replayed: string | undefined;
  /** The first character that is another one, from 0. */
  readonly at: number;
}

/** The first difference, in the order in which the recorded value goes; undefined when both are the same. */
export function firstDifference(recorded: unknown, replayed: unknown, path = ''): Difference | undefined {
  if (isObject(recorded) && isObject(replayed) && Array.isArray(recorded) === Array.isArray(replayed)) {
    const names = new Set([...Object.keys(recorded), ...Object.keys(replayed)]);
    for (const name of names) {
      const below = Array.isArray(recorded) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
      const found = firstDifference(recorded[name], replayed[name], below);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (recorded === replayed) return undefined;
  const [a, b] = [textOf(recorded), textOf(replayed)];
  if (a === b && typeof recorded === typeof replayed) return undefined;
  return { path, recorded: a, replayed: b, at: a === undefined || b === undefined ? 0 : commonLength(a, b) };
}

function commonLength(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function textOf(value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
}
