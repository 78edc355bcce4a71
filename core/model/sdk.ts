// A chat model of the AI SDK's providers as our port: the one place that knows their types (sdk-error.ts knows their errors). Their own
// retries are not used; who tries again is serve.ts.
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3FinishReason,
  LanguageModelV3Message,
  LanguageModelV3StreamPart,
} from '@ai-sdk/provider';
import { usageOf } from './budget.ts';
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
import { cut, modelError, withoutKey } from './sdk-error.ts';
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

/** Final: another model would be paid for the like of it once more. */
const tooLong = (name: string): ModelError =>
  new ModelError('out_of_range', `a call of a tool by model ${name} is longer than ${maxAnswerLength} characters`, {
    final: true,
  });

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
