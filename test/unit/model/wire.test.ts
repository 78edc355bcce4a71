// The drivers against a server whose words are no honest provider's: what it sends byte by byte, and what stands around a driver makes of it.
import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createLog } from '#core/log.ts';
import { anthropic } from '#core/model/anthropic.ts';
import { withBreaker } from '#core/model/breaker.ts';
import { withMeter } from '#core/model/meter.ts';
import { type Answer, collect, mayFallBack, type Model, type ModelRequest, type Sent } from '#core/model/model.ts';
import { openAiCompatible } from '#core/model/openai-compatible.ts';
import { withPatience } from '#core/model/patience.ts';
import { mostAnswerBytes } from '#core/model/wire.ts';
import { createFakeClock } from '../../helpers/clock.ts';
import { anthropicDialect, completionsDialect } from '../../helpers/model-dialects.ts';
import { hello } from './read.ts';

const key = 'sk-very-secret-key';
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server that answers each request by `play`. */
async function serve(play: (response: ServerResponse) => void | Promise<void>): Promise<string> {
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    request.resume().on('end', () => void play(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const driverAt = (baseUrl: string, driver = openAiCompatible): Model =>
  driver({ name: 'm', model: 'x', baseUrl, apiKey: key, maxOutput: 1_024, now: Date.now });
const modelOf = async (play: Parameters<typeof serve>[0]): Promise<Model> => driverAt(await serve(play));

const tools = [{ name: 'write', description: '', input: { type: 'object' } }];
const ask = (model: Model, more: Partial<ModelRequest> = {}): Promise<Answer> =>
  collect(model.stream({ ...hello, tools, ...more }));
const failure = async (asked: Promise<unknown>): Promise<Error> => {
  try {
    await asked;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
};

const head = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream' });
const event = (rest: object): string => `data: ${JSON.stringify({ id: 'c', created: 1, model: 'x', ...rest })}\n\n`;
const delta = (change: object, finish: string | null = null): string =>
  event({ choices: [{ index: 0, delta: change, finish_reason: finish }] });
/** A piece of a call of a tool; the first one has its name. */
const call = (args: string, name?: string): string =>
  delta({
    tool_calls: [{ index: 0, ...(name && { id: 't', type: 'function' }), function: { name, arguments: args } }],
  });
const ends = (finish: string, usage?: unknown): string =>
  `${delta({}, finish)}${usage === undefined ? '' : event({ choices: [], usage })}data: [DONE]\n\n`;

describe('patience', () => {
  const longCall = {
    pieces: [],
    tool: { id: 't', name: 'write', input: {}, text: `{"a":"${'x'.repeat(50)}"}` },
    finish: 'tool',
  } as const;
  const thinking = [...Array.from({ length: 6 }, () => delta({ reasoning_content: 'hm ' })), delta({ content: 'yes' })];

  test.each([
    ['thinks', openAiCompatible, [...thinking, ends('stop')], { text: 'yes' }],
    [
      'writes for a tool',
      openAiCompatible,
      [...completionsDialect.begin('x'), ...completionsDialect.stream('x', longCall)],
      { toolCalls: [{ name: 'write' }] },
    ],
    [
      'writes for a tool of Anthropic',
      anthropic,
      [...anthropicDialect.begin('x'), ...anthropicDialect.stream('x', longCall)],
      { toolCalls: [{ name: 'write' }] },
    ],
  ] as const)('is not lost with a model that %s', async (_, driver, events, expected) => {
    const clock = createFakeClock();
    const signs = new EventEmitter();
    const url = await serve(async (response) => {
      head(response);
      for (const one of events) {
        // Each comes 600 ms after the last one showed: any two would be too late.
        if (/reasoning|arguments|input_json/.test(one)) {
          await clock.advance(600);
          const shown = once(signs, 'alive');
          response.write(one);
          await shown;
        } else response.write(one);
      }
      response.end();
    });
    const model = withPatience(driverAt(url, driver), clock, 1_000);
    expect(await ask(model, { alive: () => void signs.emit('alive') })).toMatchObject(expected);
    expect(clock.monotonic()).toBeGreaterThan(1_000);
  });
});

describe('the meter', () => {
  const sentOf = async (play: Parameters<typeof serve>[0]): Promise<readonly Sent[]> => {
    const sent: Sent[] = [];
    await failure(ask(withMeter(await modelOf(play)), { told: (one) => void sent.push(one) }));
    return sent;
  };

  test.each<[string, Sent['outcome'], (response: ServerResponse) => void]>([
    ['after it thought', 'cut', (r) => void head(r).write(delta({ reasoning_content: 'hm' }), () => r.destroy())],
    ['after the head', 'cut', (r) => void head(r).end()],
    ['with a page that is no stream', 'cut', (r) => void head(r).end('<html>')],
    ['before the head', 'failed', (r) => void r.destroy()],
    ['with a refusal', 'failed', (r) => void r.writeHead(500).end()],
  ])('of a server that goes %s: %s', async (_, outcome, play) => {
    expect(await sentOf(play)).toEqual([{ model: 'm', outcome, usage: undefined }]);
  });

  test.each([
    [
      { prompt_tokens: 5, completion_tokens: 0 },
      { inputTokens: 5, outputTokens: 0 },
    ],
    [{}, undefined],
    [{ prompt_tokens: null, completion_tokens: 3 }, undefined],
    [{ prompt_tokens: 3, completion_tokens: null }, undefined],
    [{ prompt_tokens: -5, completion_tokens: 3 }, undefined],
    [{ prompt_tokens: 1.5, completion_tokens: 3 }, undefined],
    [{ prompt_tokens: 9e15, completion_tokens: 3 }, undefined],
    [
      { prompt_tokens: 100_000_000, completion_tokens: 3 },
      { inputTokens: 100_000_000, outputTokens: 3 },
    ],
  ])('of a usage of %j: %j', async (told, usage) => {
    const model = await modelOf((r) => void head(r).end(delta({ content: 'yes' }) + ends('stop', told)));
    expect((await ask(model)).usage).toEqual(usage);
  });
});

test('calls that the bound of tokens cut are counted, and are no illness of the model', async () => {
  const usage = { prompt_tokens: 5_000, completion_tokens: 1_024 };
  const driver = await modelOf((r) => void head(r).end(call('{"a":"b', 'write') + ends('length', usage)));
  const sent: Sent[] = [];
  const model = withBreaker(withMeter(driver), createFakeClock(), { failures: 2, openMs: 30_000 });
  for (let i = 0; i < 4; i++) {
    expect(await ask(model, { told: (one) => void sent.push(one) })).toMatchObject({ finish: 'length', toolCalls: [] });
  }
  const one = { model: 'm', outcome: 'answered', usage: { inputTokens: 5_000, outputTokens: 1_024 } };
  expect(sent).toEqual([one, one, one, one]);
});

test.each([100, 101, 20_000])('a call that is nested %i deep can be written down', async (deep) => {
  const text = `${'['.repeat(deep)}${']'.repeat(deep)}`;
  const { toolCalls } = await ask(await modelOf((r) => void head(r).end(call(text, 'write') + ends('tool_calls'))));
  expect(toolCalls[0]?.input).toEqual(deep === 100 ? JSON.parse(text) : text);
  expect(() => JSON.stringify(toolCalls)).not.toThrow();
});

describe('an error', () => {
  const logged = (error: Error): string => {
    const lines: string[] = [];
    createLog({ level: 'debug', write: (line) => lines.push(line), now: () => 0 }).error('failed', { error });
    return lines.join('');
  };
  const words = `bad header authorization: ${'x'.repeat(160)} Bearer ${key}`; // the bound of a line cuts the key

  test.each([400, 404, 429, 500])('%i does not show the key that it repeats', async (status) => {
    const body = JSON.stringify({ error: { message: words } });
    const model = await modelOf((r) => void r.writeHead(status, { 'content-type': 'application/json' }).end(body));
    const error = await failure(ask(model));
    expect(error.message).toContain('bad header');
    expect(`${error.message}${logged(error)}`).not.toContain('sk-');
  });

  test('in the midst of a stream does not show the key, either', async () => {
    const model = await modelOf((r) => void head(r).end(event({ error: { message: words } })));
    const error = await failure(ask(model));
    expect(error.message).toContain('bad header');
    expect(`${error.message}${logged(error)}`).not.toContain('sk-');
  });

  const told = { message: 'the context is 8192 tokens', param: null };
  test.each([
    [openAiCompatible, event({ error: { ...told, type: 'BadRequestError', code: 400 } }), 'invalid_argument', 400],
    [openAiCompatible, event({ error: { ...told, code: '429' } }), 'resource_exhausted', 429],
    [openAiCompatible, event({ error: { ...told, type: 'invalid_request_error' } }), 'invalid_argument', 400],
    ...(['invalid_request_error', 'rate_limit_error', 'overloaded_error'] as const).flatMap((type) => {
      const error = `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type, ...told } })}\n\n`;
      const [code, status] = (
        {
          invalid_request_error: ['invalid_argument', 400],
          rate_limit_error: ['resource_exhausted', 429],
          overloaded_error: ['unavailable', 529],
        } as const
      )[type];
      return [error, anthropicDialect.begin('x').join('') + error].map(
        (sent) => [anthropic, sent, code, status] as const,
      );
    }),
  ] as const)('in the midst of a stream counts as the status that it tells: %#', async (driver, sent, code, status) => {
    const url = await serve((r) => void head(r).end(sent));
    expect(await failure(ask(driverAt(url, driver)))).toMatchObject({
      code,
      message: `model m answered ${status}: the context is 8192 tokens`,
      brief: `model m answered ${status}`,
    });
  });

  test('of a request that is wrong is no illness of the model, though it comes with a success', async () => {
    let wrong = true;
    const driver = await modelOf((r) => {
      if (wrong) head(r).end(event({ error: { ...told, code: 400 } }));
      else head(r).end(delta({ content: 'fine' }) + ends('stop'));
    });
    const model = withBreaker(driver, createFakeClock(), { failures: 2, openMs: 30_000 });
    for (let i = 0; i < 3; i++) await failure(ask(model));
    wrong = false;
    expect(await ask(model)).toMatchObject({ text: 'fine' });
  });

  test('that tells no status is a cut, and its words are not for others', async () => {
    const model = await modelOf((r) => void head(r).end(event({ error: { message: 'no "my prompt"' } })));
    expect(await failure(ask(model))).toMatchObject({
      code: 'unavailable',
      message: 'model m broke off: no "my prompt"',
      brief: 'model m broke off',
    });
  });

  test('of a key that no header can hold is no answer that was cut off', async () => {
    let requests = 0;
    const baseUrl = await serve((r) => {
      requests++;
      r.end();
    });
    const options = { name: 'm', model: 'x', baseUrl, apiKey: '“sk-1”', maxOutput: 1_024, now: Date.now };
    const error = await failure(ask(openAiCompatible(options)));
    expect(error).toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/^model m cannot be asked: /) as unknown,
    });
    expect([error.message.includes('sk-1'), requests]).toEqual([false, 0]);
  });

  test('of 3 MB is no line of 3 MB in the log', async () => {
    const model = await modelOf((r) => void head(r).end(event({ choices: 'x'.repeat(3e6) })));
    const error = await failure(ask(model));
    expect(error.message).toBe('model m answered what is not its protocol');
    expect(logged(error).length).toBeLessThan(30_000);
  });
});

describe('what has no end is left', () => {
  /** Bytes that the client took of these pieces, one after the other and again, and what it failed with. */
  const taken = async (
    status: number,
    first: string,
    piece: string,
  ): Promise<{ readonly bytes: number; readonly error: Error }> => {
    let bytes = 0;
    const gone = Promise.withResolvers<void>();
    const model = await modelOf(async (response) => {
      response.writeHead(status, { 'content-type': 'text/event-stream' }).write(first);
      while (!response.destroyed && bytes < 4 * mostAnswerBytes) {
        bytes += piece.length;
        await new Promise<void>((resolve) => {
          response.once('close', resolve);
          response.write(piece, () => {
            response.off('close', resolve);
            resolve();
          });
        });
      }
      response.end();
      gone.resolve();
    });
    const error = await failure(ask(model));
    await gone.promise;
    return { bytes, error };
  };
  const x = 'x'.repeat(60_000);
  const inFlight = 12 * 2 ** 20; // what the sockets hold

  test('a call of a tool', async () => {
    const { bytes, error } = await taken(200, call('{"a":"', 'write'), call(x));
    expect(error).toMatchObject({
      code: 'out_of_range',
      message: 'a call of a tool by model m is longer than 1000000 characters',
    });
    expect(mayFallBack(error)).toBe(false);
    expect(bytes).toBeLessThan(inFlight);
  });

  test('the body of a refusal, and the status still counts', async () => {
    const { bytes, error } = await taken(400, '', x);
    expect(error).toMatchObject({ code: 'invalid_argument', message: 'model m answered 400: Bad Request' });
    expect(bytes).toBeLessThan(inFlight);
  });

  test.each([
    ['an event', 'data: "', x],
    ['arguments of a tool without a name', '', call(x)],
  ])('%s', { timeout: 60_000 }, async (_, first, piece) => {
    const { bytes, error } = await taken(200, first, piece);
    expect(error).toMatchObject({
      code: 'out_of_range',
      message: `the answer of model m is longer than ${mostAnswerBytes} bytes`,
    });
    expect(mayFallBack(error)).toBe(false);
    expect(bytes).toBeLessThan(mostAnswerBytes + inFlight);
  });
});
