// The drivers keep the contract, each against a server that speaks its wire format.
import { expect, test } from 'vitest';
import { anthropic } from '#core/model/anthropic.ts';
import { collect, type DriverOptions, type Model, type ModelMessage } from '#core/model/model.ts';
import { ollama } from '#core/model/ollama.ts';
import { openAiCompatible } from '#core/model/openai-compatible.ts';
import { startModelServer } from '../helpers/model-server.ts';
import { testModel } from './model.ts';

interface Case {
  readonly driver: (options: DriverOptions) => Model;
  /** What its base URL has after the server's. */
  readonly base: string;
  readonly path: string;
  readonly key: Readonly<Record<string, string>>;
}

const cases: Readonly<Record<string, Case>> = {
  'openai-compatible': {
    driver: openAiCompatible,
    base: '/v1',
    path: '/v1/chat/completions',
    key: { authorization: 'Bearer sk-test' },
  },
  anthropic: { driver: anthropic, base: '/v1', path: '/v1/messages', key: { 'x-api-key': 'sk-test' } },
  ollama: { driver: ollama, base: '', path: '/v1/chat/completions', key: { authorization: 'Bearer sk-test' } },
};

const options = { name: 'scripted', model: 'some-model', apiKey: 'sk-test', maxOutput: 256, now: Date.now };

const conversation: readonly ModelMessage[] = [
  { role: 'system', content: 'be short' },
  { role: 'user', content: 'read a' },
  { role: 'assistant', content: 'I shall', toolCalls: [{ id: 'c1', name: 'read', input: { path: 'a' } }] },
  { role: 'tool', callId: 'c1', name: 'read', content: 'text of a' },
];

const completionsBody = {
  messages: [
    { role: 'system', content: 'be short' },
    { role: 'user', content: 'read a' },
    {
      role: 'assistant',
      content: 'I shall',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } }],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'text of a' },
  ],
  tools: [
    { type: 'function', function: { name: 'read', description: 'reads a file', parameters: { type: 'object' } } },
  ],
  stream_options: { include_usage: true },
};

const anthropicBody = {
  system: [{ type: 'text', text: 'be short' }],
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'read a' }] },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I shall' },
        { type: 'tool_use', id: 'c1', name: 'read', input: { path: 'a' } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: 'text of a' }] },
  ],
  tools: [{ name: 'read', description: 'reads a file', input_schema: { type: 'object' } }],
};

for (const [name, { driver, base, path, key }] of Object.entries(cases)) {
  testModel(name, async () => {
    const server = await startModelServer();
    return {
      model: driver({ ...options, baseUrl: `${server.url}${base}` }),
      play: server.play,
      arrived: async (n) => void (await server.request(n)),
      ended: async (n) => (await server.request(n)).closed,
      close: server.close,
    };
  });

  test(`${name}: what is on the wire`, async () => {
    const server = await startModelServer();
    const model = driver({ ...options, baseUrl: `${server.url}${base}` });
    const messages = [{ role: 'user', content: 'hello' }] as const;
    const answer = await collect(model.stream({ messages, maxTokens: 9, signal: new AbortController().signal }));
    expect(answer.text).toBe('[scripted] hello');
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({
      path,
      headers: key,
      body: { model: 'some-model', max_tokens: 9, stream: true },
    });
    await server.close();
  });

  test(`${name}: a conversation with tools on the wire`, async () => {
    const server = await startModelServer();
    const model = driver({ ...options, baseUrl: `${server.url}${base}` });
    const tools = [{ name: 'read', description: 'reads a file', input: { type: 'object', properties: {} } }];
    await collect(model.stream({ messages: conversation, tools, signal: new AbortController().signal }));
    expect(server.requests[0]?.body).toMatchObject(name === 'anthropic' ? anthropicBody : completionsBody);
    await server.close();
  });

  test(`${name}: a call whose input was no JSON goes back as an object`, async () => {
    const server = await startModelServer();
    const model = driver({ ...options, baseUrl: `${server.url}${base}` });
    const messages = conversation.map((message) =>
      message.role === 'assistant'
        ? { ...message, toolCalls: [{ id: 'c1', name: 'read', input: '{"path": oh' }] }
        : message,
    );
    await collect(model.stream({ messages, signal: new AbortController().signal }));
    const sent = JSON.stringify(server.requests[0]?.body);
    const input = JSON.stringify({ text: '{"path": oh' });
    expect(sent).toContain(name === 'anthropic' ? `"input":${input}` : `"arguments":${JSON.stringify(input)}`);
    await server.close();
  });

  test(`${name}: a redirect is not followed`, async () => {
    const [server, other] = await Promise.all([startModelServer(), startModelServer()]);
    server.play({ kind: 'status', status: 307, headers: { location: `${other.url}${path}` } });
    const model = driver({ ...options, baseUrl: `${server.url}${base}` });
    const asked = collect(model.stream({ messages: conversation, signal: new AbortController().signal }));
    await expect(asked).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/^model scripted answered 307/) as unknown,
    });
    expect([server.requests.length, other.requests.length]).toEqual([1, 0]);
    await Promise.all([server.close(), other.close()]);
  });

  test(`${name}: a server that is not there`, async () => {
    const server = await startModelServer();
    await server.close();
    const model = driver({ ...options, baseUrl: `${server.url}${base}` });
    const asked = collect(
      model.stream({ messages: [{ role: 'user', content: 'x' }], signal: new AbortController().signal }),
    );
    await expect(asked).rejects.toMatchObject({
      code: 'unavailable',
      message: 'model scripted cannot be reached (ECONNREFUSED): set OLLAMA_URL, or its base_url in config/models.yaml',
    });
  });
}

test('ollama is found with the path that its other clients want, too', async () => {
  const server = await startModelServer();
  const model = ollama({ ...options, baseUrl: `${server.url}/v1` });
  await collect(model.stream({ messages: conversation, signal: new AbortController().signal }));
  expect(server.requests[0]).toMatchObject({ path: '/v1/chat/completions' });
  await server.close();
});

test.each(['/v1/chat/completions', '/v1/messages'])(
  'the server answers %s plainly, too, and marks it',
  async (path) => {
    const server = await startModelServer();
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
    const response = await fetch(`${server.url}${path}`, { method: 'POST', body, signal: AbortSignal.timeout(5_000) });
    expect(JSON.stringify(await response.json())).toContain('[scripted] hi');
    await server.close();
  },
);
