// A model of the AI SDK's providers as our port: the one place that knows their types and errors. Their own retries are not used; who
// tries again is serve.ts.
import {
  APICallError,
  InvalidResponseDataError,
  JSONParseError,
  type LanguageModelV3,
  type LanguageModelV3CallOptions,
  type LanguageModelV3FinishReason,
  type LanguageModelV3Message,
  type LanguageModelV3StreamPart,
  TypeValidationError,
} from '@ai-sdk/provider';
import { usageOf } from './budget.ts';
import { faultOf, type HttpFault, oneLine, statusTold } from './fault.ts';
import {
  type DriverOptions,
  type Finish,
  maxAnswerLength,
  type Model,
  ModelError,
  type ModelMessage,
  type ModelPart,
  type ModelRequest,
  throwIfStopped,
  type ToolCall,
  type Usage,
} from './model.ts';
import { wireFetch } from './wire.ts';

/** What is a dialect's own. */
export interface Dialect {
  /** The SDK's model, which asks by this fetch; one is made for each request. */
  readonly via: (fetch: typeof globalThis.fetch) => LanguageModelV3;
  /** The provider's names for the tokens of the prompt and of the answer. */
  readonly tokens: readonly [input: string, output: string];
}

/** The dialect as our port. */
export function sdkModel({ name, maxOutput, now, apiKey }: DriverOptions, { via, tokens }: Dialect): Model {
  return {
    name,
    async *stream(request) {
      throwIfStopped(request.signal);
      // Whoever stops reading ends the request, too.
      const left = new AbortController();
      const signal = AbortSignal.any([request.signal, left.signal]);
      let taken = false;
      const alive = (): void => {
        taken = true;
        request.alive?.();
      };
      // Handed on with the end alone: why it stopped says whether they are whole.
      const calls: SdkCall[] = [];
      let inputLength = 0;
      let restedAt = now();
      try {
        const sdk = via(wireFetch(name, alive));
        const { stream } = await sdk.doStream(callOptions(request, maxOutput, signal));
        for await (const part of stream) {
          if (now() - restedAt >= turnMs) {
            await turn();
            restedAt = now();
          }
          throwIfStopped(request.signal);
          alive();
          switch (part.type) {
            case 'text-delta':
              if (part.delta !== '') yield { type: 'text', text: part.delta };
              break;
            case 'tool-input-start':
            case 'tool-input-delta':
              inputLength += part.type === 'tool-input-start' ? part.toolName.length + 100 : part.delta.length;
              if (inputLength > maxAnswerLength) throw tooLong(name);
              break;
            case 'tool-call':
              calls.push(part);
              break;
            case 'error':
              throw part.error;
            case 'finish': {
              // The provider never said why it stopped: the connection ended, not the answer.
              if (part.finishReason.raw === undefined) throw cut(name);
              const finish = finishes[part.finishReason.unified];
              yield* callsOf(calls, finish);
              yield { type: 'end', model: name, finish, usage: toldUsage(part.usage, tokens) };
              return;
            }
            default: // reasoning, sources, marks of begin and end
          }
        }
        throw cut(name);
      } catch (error) {
        throwIfStopped(request.signal);
        throw modelError(name, withoutKey(apiKey, error), now(), taken);
      } finally {
        left.abort();
      }
    },
  };
}

/**
 * How long parts that are there already are worked off before others get their turn, ms: a model that is faster than its reader would keep the
 * process from its leases and its timers.
 */
const turnMs = 20;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

type SdkPart<Type> = Extract<LanguageModelV3StreamPart, { readonly type: Type }>;
type SdkCall = SdkPart<'tool-call'>;

/** The usage, if the provider told both of its numbers: where it did not, the SDK says 0. */
function toldUsage(
  { inputTokens, outputTokens, raw }: SdkPart<'finish'>['usage'],
  tokens: Dialect['tokens'],
): Usage | undefined {
  if (!tokens.every((field) => typeof raw?.[field] === 'number')) return undefined;
  return usageOf(inputTokens.total, outputTokens.total);
}

/** The calls of an answer that is over; one that the bound of tokens cut is none. */
function callsOf(calls: readonly SdkCall[], finish: Finish): (ModelPart & ToolCall)[] {
  return calls.flatMap(({ toolCallId: id, toolName: name, input: text }) => {
    const input = toolInput(text);
    if (finish === 'length' && (input === undefined || text === '')) return [];
    return { type: 'tool_call', id, name, input: input ?? text };
  });
}

/** Objects and arrays within each other at most: whoever writes deeper ones down, or walks through them, runs out of stack. */
const mostDepth = 100;

/** undefined: it is no JSON, or too deep. */
function toolInput(text: string): unknown {
  let input: unknown;
  try {
    input = text === '' ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
  let level = [input].filter(isObject);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > mostDepth) return undefined;
    level = level.flatMap((value) => Object.values(value).filter(isObject));
  }
  return input;
}

const finishes: Readonly<Record<LanguageModelV3FinishReason['unified'], Finish>> = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'filtered',
  error: 'other',
  other: 'other',
};

const cut = (name: string, cause?: unknown): ModelError =>
  new ModelError('unavailable', `the answer of model ${name} was cut off`, { cause });

const garbage = (name: string, cause: unknown): ModelError =>
  new ModelError('internal', `model ${name} answered what is not its protocol`, { cause });

/** Final: another model would be paid for the like of it once more. */
const tooLong = (name: string): ModelError =>
  new ModelError('out_of_range', `a call of a tool by model ${name} is longer than ${maxAnswerLength} characters`, {
    final: true,
  });

/** The same error, its words without the key: it is shown to whoever reads the job, and is logged. */
function withoutKey(key: string | undefined, error: unknown): unknown {
  if (key === undefined || key === '') return error;
  if (typeof error === 'string') return error.replaceAll(key, '[key]');
  for (let one = error, depth = 0; isObject(one) && depth < 10; one = one['cause'], depth++) {
    for (const field of ['message', 'stack']) {
      const said = one[field];
      if (typeof said === 'string' && said.includes(key)) one[field] = said.replaceAll(key, '[key]');
    }
  }
  return error;
}

/** `taken`: the head of a success came. */
function modelError(name: string, error: unknown, now: number, taken: boolean): ModelError {
  const answered = (fault: HttpFault, cause?: unknown): ModelError => {
    const { code, message, ...detail } = faultOf(name, fault, now);
    return new ModelError(code, message, { ...detail, cause });
  };
  if (error instanceof ModelError) return error;
  if (APICallError.isInstance(error)) {
    if (error.cause instanceof ModelError) return error.cause; // wire.ts ended the body
    const { statusCode: status, responseHeaders: headers = {} } = error;
    // The head of a success, and a body that ended early (fetch says so with a TypeError) or cannot be read.
    if (status !== undefined && status < 300)
      return error.cause instanceof TypeError ? cut(name, error) : garbage(name, error);
    // Anthropic's provider takes a first event that it cannot read for the server's own failure.
    if (/"AI_(JSONParse|TypeValidation)Error"/.test(error.responseBody ?? '')) return garbage(name, error);
    if (status === undefined) return answered({ status, headers, message: reach(error) }, error);
    // It also gives an error that is the first event a status, which is 500 for nearly all.
    const told = taken ? statusTold({ type: /^\{"type":"(\w+)"/.exec(error.responseBody ?? '')?.[1] }) : undefined;
    return answered({ status: told ?? status, headers, message: error.message }, error);
  }
  if (InvalidResponseDataError.isInstance(error) && /ended without a finish reason/.test(error.message))
    return cut(name);
  if (
    InvalidResponseDataError.isInstance(error) ||
    JSONParseError.isInstance(error) ||
    TypeValidationError.isInstance(error)
  ) {
    return garbage(name, error);
  }
  // An error that the provider sends in the midst of a stream is data, of any size, and no cause to log.
  const said = messageIn(error);
  if (said !== undefined) {
    const status = isObject(error) ? statusTold(error) : undefined;
    if (status !== undefined) return answered({ status, headers: {}, message: said });
    const brief = `model ${name} broke off`;
    return new ModelError('unavailable', `${brief}: ${oneLine(said)}`, { brief });
  }
  if (error instanceof TypeError) {
    // fetch says so about a connection that broke, and about a request that it cannot send, such as one with a key that no header can hold.
    if (taken) return cut(name, error);
    return new ModelError('internal', `model ${name} cannot be asked: ${oneLine(error.message)}`, { cause: error });
  }
  return new ModelError('internal', `model ${name} failed in an unknown way`, { cause: error });
}

function reach(error: APICallError): string {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}

function messageIn(error: unknown): string | undefined {
  if (error instanceof Error) return undefined;
  if (typeof error === 'string') return error;
  const message = isObject(error) ? error['message'] : undefined;
  return typeof message === 'string' ? message : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function callOptions(request: ModelRequest, maxOutput: number, abortSignal: AbortSignal): LanguageModelV3CallOptions {
  return {
    prompt: request.messages.map(messageOf),
    maxOutputTokens: Math.min(request.maxTokens ?? maxOutput, maxOutput),
    abortSignal,
    ...(request.tools !== undefined && {
      tools: request.tools.map(({ name, description, input }) => ({
        type: 'function' as const,
        name,
        description,
        inputSchema: input,
      })),
    }),
  };
}

function messageOf(message: ModelMessage): LanguageModelV3Message {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.content };
    case 'user':
      return { role: 'user', content: [{ type: 'text', text: message.content }] };
    case 'assistant': {
      const calls = (message.toolCalls ?? []).map((call) => ({
        type: 'tool-call' as const,
        toolCallId: call.id,
        toolName: call.name,
        // What was no JSON goes back in an object: some dialects take nothing else.
        input: typeof call.input === 'string' ? { text: call.input } : call.input,
      }));
      const text = message.content === '' ? [] : [{ type: 'text' as const, text: message.content }];
      return { role: 'assistant', content: [...text, ...calls] };
    }
    case 'tool': {
      const output = { type: 'text' as const, value: message.content };
      return {
        role: 'tool',
        content: [{ type: 'tool-result', toolCallId: message.callId, toolName: message.name, output }],
      };
    }
  }
}
