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
import { faultOf, oneLine } from './fault.ts';
import {
  type DriverOptions,
  type Finish,
  type Model,
  ModelError,
  type ModelMessage,
  type ModelPart,
  type ModelRequest,
  throwIfStopped,
} from './model.ts';

/**
 * The fetch of every driver: it follows no redirect, which would take the prompt, and in some dialects the key, to a host that nobody
 * configured.
 */
export const fetchHere: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'manual' });

export function sdkModel(sdk: LanguageModelV3, { name, maxOutput, now }: DriverOptions): Model {
  return {
    name,
    async *stream(request) {
      throwIfStopped(request.signal);
      // Whoever stops reading ends the request, too.
      const left = new AbortController();
      const signal = AbortSignal.any([request.signal, left.signal]);
      try {
        const { stream } = await sdk.doStream(callOptions(request, maxOutput, signal));
        for await (const part of stream) {
          throwIfStopped(request.signal);
          const ours = partOf(name, part);
          if (ours === undefined) continue;
          yield ours;
          if (ours.type === 'end') return;
        }
        throw cut(name);
      } catch (error) {
        throwIfStopped(request.signal);
        throw modelError(name, error, now());
      } finally {
        left.abort();
      }
    },
  };
}

function partOf(name: string, part: LanguageModelV3StreamPart): ModelPart | undefined {
  switch (part.type) {
    case 'text-delta':
      return part.delta === '' ? undefined : { type: 'text', text: part.delta };
    case 'tool-call':
      return { type: 'tool_call', id: part.toolCallId, name: part.toolName, input: toolInput(name, part.input) };
    case 'error':
      throw part.error;
    case 'finish': {
      const { usage } = part;
      // The provider never said why it stopped: the connection ended, not the answer.
      if (part.finishReason.raw === undefined) throw cut(name);
      const [input, output] = [usage.inputTokens.total, usage.outputTokens.total];
      return {
        type: 'end',
        model: name,
        finish: finishes[part.finishReason.unified],
        usage: input === undefined || output === undefined ? undefined : { inputTokens: input, outputTokens: output },
      };
    }
    default:
      return undefined; // reasoning, sources, marks of begin and end
  }
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

function toolInput(name: string, text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw garbage(name, error);
  }
}

function modelError(name: string, error: unknown, now: number): ModelError {
  if (error instanceof ModelError) return error;
  if (APICallError.isInstance(error)) {
    const { statusCode: status, responseHeaders: headers = {} } = error;
    // The head of a success, and a body that ended early (fetch says so with a TypeError) or cannot be read.
    if (status !== undefined && status < 300)
      return error.cause instanceof TypeError ? cut(name, error) : garbage(name, error);
    // Anthropic's provider takes a first event that it cannot read for the server's own failure.
    if (/"AI_(JSONParse|TypeValidation)Error"/.test(error.responseBody ?? '')) return garbage(name, error);
    const fault = faultOf(name, { status, headers, message: status === undefined ? reach(error) : error.message }, now);
    return new ModelError(fault.code, fault.message, { cause: error, retryAfterMs: fault.retryAfterMs });
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
  // An error that the provider sends in the midst of a stream is data.
  const said = messageIn(error);
  if (said !== undefined)
    return new ModelError('unavailable', `model ${name} broke off: ${oneLine(said)}`, { cause: error });
  if (error instanceof TypeError) return cut(name, error);
  return new ModelError('internal', `model ${name} failed in an unknown way`, { cause: error });
}

function reach(error: APICallError): string {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}

function messageIn(error: unknown): string | undefined {
  if (error instanceof Error) return undefined;
  if (typeof error === 'string') return error;
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : undefined;
  return typeof message === 'string' ? message : undefined;
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
        input: call.input,
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
