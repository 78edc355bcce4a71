// A language model as the rest of the system sees it: messages in; text as it is made, tool calls and usage out. Which provider answers
// is a driver's affair (sdk.ts and its neighbours); what stands around a driver is serve.ts.
//
// A stream ends with exactly one `end` part, or it throws: then what came before is a part of an answer and nothing more.
// What it throws is a ModelError, or what the request's signal was aborted with.
import { CortexError, type ErrorCode, type ErrorDetail, isRetryable, toCortexError } from '#core/errors.ts';

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** As the model wrote it, parsed; whoever runs the tool checks it. */
  readonly input: unknown;
}

export type ModelMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly callId: string; readonly name: string; readonly content: string };

export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly input: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly Tool[];
  /** Tokens of the answer at most; the driver's own bound holds as well. */
  readonly maxTokens?: number;
  /** Ends the request down to the socket. */
  readonly signal: AbortSignal;
  /** Hears of each request that went out for this one, once it is over; must not throw. */
  readonly told?: (sent: Sent) => void;
  /**
   * For what stands around a driver: hears that the provider has taken the request, and then each sign that it is at work, also where nothing
   * comes of it that is handed on (it thinks, or writes a call of a tool). Must not throw.
   */
  readonly alive?: () => void;
}

/** A request that went out to a provider, and is over. */
export interface Sent {
  /** As config/models.yaml names it. */
  readonly model: string;
  /**
   * `answered` to the end; `cut` after the provider had taken it, by whomever; `silent`: given up before a piece of the answer came; `stopped`
   * by its caller before one came; `failed`: the provider said no, or was not there.
   */
  readonly outcome: 'answered' | 'cut' | 'silent' | 'stopped' | 'failed';
  /** undefined: nobody told. */
  readonly usage: Usage | undefined;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Why the model stopped: `length` means that the answer is not whole. */
export type Finish = 'stop' | 'length' | 'tool_calls' | 'filtered' | 'other';

export type ModelPart =
  | { readonly type: 'text'; readonly text: string }
  | ({ readonly type: 'tool_call' } & ToolCall)
  /** `model` is the name of the one that answered; a provider may tell no usage. */
  | { readonly type: 'end'; readonly model: string; readonly finish: Finish; readonly usage: Usage | undefined };

export interface Model {
  /** As config/models.yaml names it. */
  readonly name: string;
  /** Nothing is sent before the first part is asked for. Whoever stops asking ends the request. */
  stream(request: ModelRequest): AsyncIterable<ModelPart>;
}

/** What every driver is made with. */
export interface DriverOptions {
  /** As config/models.yaml names it. */
  readonly name: string;
  /** As the provider names it. */
  readonly model: string;
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** Tokens of an answer at most. */
  readonly maxOutput: number;
  /** Wall clock, ms since the epoch: retry-after may be a date. */
  readonly now: () => number;
}

/** A model that failed. The code says whether to try again (isRetryable), `retryAfterMs` when, if anybody said so. */
export class ModelError extends CortexError {
  readonly retryAfterMs: number | undefined;
  /** The message without the provider's words, which may repeat the prompt: for those whose request it was not. */
  readonly brief: string;

  constructor(code: ErrorCode, message: string, detail: ModelErrorDetail = {}) {
    super(code, message, detail);
    this.name = 'ModelError';
    this.retryAfterMs = detail.retryAfterMs;
    this.brief = detail.brief ?? message;
  }
}

interface ModelErrorDetail extends ErrorDetail {
  readonly retryAfterMs?: number | undefined;
  readonly brief?: string;
}

/**
 * Whether another model may do what this one did not: yes, unless the request itself is wrong, nobody waits any more, or it would cost the same
 * again and lead nowhere (`final`).
 */
export function mayFallBack(error: unknown): error is ModelError {
  if (!(error instanceof ModelError) || error.final) return false;
  if (isRetryable(error)) return true;
  const its: readonly ErrorCode[] = ['unauthenticated', 'permission_denied', 'not_found', 'internal', 'out_of_range'];
  return its.includes(error.code);
}

/** Throws what the signal was aborted with, as a CortexError. */
export function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw toCortexError(signal.reason, 'canceled');
}

export interface Answer {
  readonly model: string;
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: Finish;
  readonly usage: Usage | undefined;
}

/** Characters of an answer that is gathered whole. */
export const maxAnswerLength = 1_000_000;

/** The whole answer. Throws as the stream does; `out_of_range` for one that does not come to an end within the bound. */
export async function collect(parts: AsyncIterable<ModelPart>): Promise<Answer> {
  let text = '';
  const toolCalls: ToolCall[] = [];
  for await (const part of parts) {
    if (part.type === 'end') return { model: part.model, text, toolCalls, finish: part.finish, usage: part.usage };
    if (part.type === 'tool_call') toolCalls.push({ id: part.id, name: part.name, input: part.input });
    else text += part.text;
    if (text.length > maxAnswerLength) {
      throw new ModelError('out_of_range', `the model's answer is longer than ${maxAnswerLength} characters`);
    }
  }
  throw new ModelError('unavailable', "the model's answer ended too early");
}
