// The two dialects of model-server.ts, as their providers document them: what a stream and a plain answer look like on the wire.

/** What is to be said, in no dialect. */
export interface Said {
  readonly pieces: readonly string[];
  /** `text` is what a stream has of the input. */
  readonly tool:
    | { readonly id: string; readonly name: string; readonly input: unknown; readonly text: string }
    | undefined;
  readonly finish: 'stop' | 'length' | 'tool';
}

export interface Dialect {
  /** Events before the first piece. */
  begin(model: string): readonly string[];
  piece(model: string, text: string): string;
  /** Events of the whole answer after `begin`, to the last. */
  stream(model: string, said: Said): readonly string[];
  plain(model: string, said: Said): unknown;
  error(status: number, message: string): unknown;
}

/** What every answer of these servers is said to have taken. */
export const scriptedUsage = { input: 11, output: 7 };

const chunk = (model: string, rest: object): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1_800_000_000, model, ...rest })}\n\n`;
const delta = (model: string, change: object, finish: string | null = null): string =>
  chunk(model, { choices: [{ index: 0, delta: change, finish_reason: finish }] });

const completionsUsage = {
  prompt_tokens: scriptedUsage.input,
  completion_tokens: scriptedUsage.output,
  total_tokens: scriptedUsage.input + scriptedUsage.output,
};
const completionsFinish = { stop: 'stop', length: 'length', tool: 'tool_calls' } as const;

/** POST /v1/chat/completions. */
export const completionsDialect: Dialect = {
  begin: (model) => [delta(model, { role: 'assistant', content: '' })],
  piece: (model, content) => delta(model, { content }),
  stream(model, { pieces, tool, finish }) {
    const calls: string[] = [];
    if (tool !== undefined) {
      const named = { index: 0, id: tool.id, type: 'function', function: { name: tool.name, arguments: '' } };
      calls.push(delta(model, { tool_calls: [named] }));
      for (const part of halves(tool.text))
        calls.push(delta(model, { tool_calls: [{ index: 0, function: { arguments: part } }] }));
    }
    return [
      ...pieces.map((content) => delta(model, { content })),
      ...calls,
      delta(model, {}, completionsFinish[finish]),
      chunk(model, { choices: [], usage: completionsUsage }),
      'data: [DONE]\n\n',
    ];
  },
  plain(model, { pieces, tool, finish }) {
    const calls = tool && [
      { id: tool.id, type: 'function', function: { name: tool.name, arguments: JSON.stringify(tool.input) } },
    ];
    const message = { role: 'assistant', content: tool ? null : pieces.join(''), ...(calls && { tool_calls: calls }) };
    return {
      ...{ id: 'chatcmpl-scripted', object: 'chat.completion', created: 1_800_000_000, model },
      choices: [{ index: 0, message, finish_reason: completionsFinish[finish] }],
      usage: completionsUsage,
    };
  },
  error: (status, message) => ({ error: { message, type: 'scripted_error', code: String(status) } }),
};

const event = (type: string, rest: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
const textDelta = (text: string): string =>
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
const anthropicFinish = { stop: 'end_turn', length: 'max_tokens', tool: 'tool_use' } as const;
const anthropicMessage = (model: string, content: readonly object[], stop: string | null, output: number): object => ({
  ...{ id: 'msg_scripted', type: 'message', role: 'assistant', model, content },
  ...{ stop_reason: stop, stop_sequence: null },
  usage: { input_tokens: scriptedUsage.input, output_tokens: output },
});

/** POST /v1/messages. */
export const anthropicDialect: Dialect = {
  begin: (model) => [
    event('message_start', { message: anthropicMessage(model, [], null, 1) }),
    event('ping', {}),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  ],
  piece: (_model, text) => textDelta(text),
  stream(_model, { pieces, tool, finish }) {
    const calls: string[] = [];
    if (tool !== undefined) {
      const block = { type: 'tool_use', id: tool.id, name: tool.name, input: {} };
      calls.push(event('content_block_start', { index: 1, content_block: block }));
      for (const part of halves(tool.text)) {
        calls.push(event('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: part } }));
      }
      calls.push(event('content_block_stop', { index: 1 }));
    }
    return [
      ...pieces.map(textDelta),
      event('content_block_stop', { index: 0 }),
      ...calls,
      event('message_delta', {
        delta: { stop_reason: anthropicFinish[finish], stop_sequence: null },
        usage: { output_tokens: scriptedUsage.output },
      }),
      event('message_stop', {}),
    ];
  },
  plain(model, { pieces, tool, finish }) {
    const content = tool
      ? [{ type: 'tool_use', id: tool.id, name: tool.name, input: tool.input }]
      : [{ type: 'text', text: pieces.join('') }];
    return anthropicMessage(model, content, anthropicFinish[finish], scriptedUsage.output);
  },
  error: (status, message) => ({
    type: 'error',
    error: { type: status === 429 ? 'rate_limit_error' : status === 529 ? 'overloaded_error' : 'api_error', message },
  }),
};

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
