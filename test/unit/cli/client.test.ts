// What the client sends, and which line each trouble becomes.
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { freePort } from '../../../local/servers/ports.ts';
import { ClientError, createClient, sendsKeyInTheOpen } from '../../../local/cli/client.ts';
import { type Answering, send, startAnswering } from '../../helpers/answering.ts';

let server: Answering | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const never = new AbortController().signal;
const anything = z.looseObject({});

interface Options {
  readonly key?: string;
  readonly tenant?: string;
  readonly patience?: number;
  readonly signal?: AbortSignal;
}

function clientOf(url: string, { key, tenant, signal = never, ...rest }: Options = {}) {
  return createClient({ gateway: { url, from: 'from --gateway' }, key, tenant, signal, userAgent: 'test/1', ...rest });
}

async function trouble(answer: Parameters<typeof startAnswering>[0], options?: Options): Promise<ClientError> {
  server = await startAnswering(answer);
  try {
    await clientOf(server.url, options).call({ path: '/api/v1/jobs', schema: anything });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    expect(error.message).not.toMatch(/\p{Cc}/u);
    return error;
  }
  throw new Error('there was no trouble');
}

test('sends the key, the tenant and the body, and keeps the answer as it came', async () => {
  const raw = '{ "a":1,   "big": 12345678901234567890 }';
  server = await startAnswering((_asked, response) => send(response, 200, raw));
  const client = clientOf(`${server.url}/behind/a/front`, { key: 'cortex_k', tenant: 'acme' });
  const answer = await client.call({
    method: 'POST',
    path: '/api/v1/jobs',
    query: { wait: 3, cursor: 'a b', state: undefined },
    headers: { 'idempotency-key': 'once', 'x-none': undefined },
    body: { prompt: 'hi', topic: undefined },
    schema: anything,
  });
  expect(answer.text).toBe(raw);
  const [asked] = server.asked;
  expect(asked).toMatchObject({
    method: 'POST',
    path: '/behind/a/front/api/v1/jobs?wait=3&cursor=a+b',
    body: '{"prompt":"hi"}',
  });
  expect(asked?.headers).toMatchObject({
    'x-api-key': 'cortex_k',
    'x-cortex-tenant': 'acme',
    'idempotency-key': 'once',
    'content-type': 'application/json',
    'user-agent': 'test/1',
  });
  expect(asked?.headers).not.toHaveProperty('x-none');
});

test('without a key there is no header for one', async () => {
  server = await startAnswering((_asked, response) => send(response, 200, {}));
  await clientOf(server.url).call({ path: '/health', schema: anything });
  expect(server.asked[0]?.headers).not.toHaveProperty('x-api-key');
  expect(server.asked[0]?.headers).not.toHaveProperty('content-type');
});

describe('a refusal in one line', () => {
  const problem = (status: number, body: object, headers: Record<string, string> = {}) =>
    trouble((_asked, response) => send(response, status, { type: 'about:blank', status, ...body }, headers));

  test('names the field', async () => {
    const error = await problem(400, { title: 'Bad Request', detail: 'topic: must begin with "job."', field: 'topic' });
    expect(error).toMatchObject({ message: 'topic: must begin with "job."', exitCode: 4, passing: false });
    const beside = await problem(422, { detail: 'was used before with another body', field: 'Idempotency-Key' });
    expect(beside).toMatchObject({ message: 'Idempotency-Key: was used before with another body', exitCode: 4 });
  });

  test('says where a key goes when there was none', async () => {
    expect((await problem(401, { detail: 'an API key is needed' })).message).toBe(
      'an API key is needed: put one into CORTEX_API_KEY, or into a file for --key-file',
    );
  });

  test('not found, too often, ill', async () => {
    expect(await problem(404, { detail: 'job not found' })).toMatchObject({ message: 'job not found', exitCode: 5 });
    expect(await problem(429, { detail: 'too many requests' }, { 'retry-after': '2' })).toMatchObject({
      ...{ message: 'too many requests', exitCode: 4 },
      ...{ passing: true, retryAfter: 2_000 },
    });
    expect(await problem(503, { detail: 'Redis is away' })).toMatchObject({
      ...{ message: 'the gateway cannot answer now (503): Redis is away', exitCode: 3 },
      ...{ passing: true },
    });
    expect(await problem(500, { detail: 'oh' })).toMatchObject({ exitCode: 3, passing: false });
  });

  test('of a foreign gateway, as text', async () => {
    const error = await trouble((_asked, response) => send(response, 503, 'failed to enqueue job\n'));
    expect(error.message).toBe('the gateway cannot answer now (503): failed to enqueue job');
  });

  test('without sequences for the terminal and without a second line', async () => {
    const error = await problem(400, { detail: 'a\u001b[2Jb\nc' });
    expect(error.message).toBe('a\\x1b[2Jb\\nc');
  });
});

describe('no answer', () => {
  test('nobody listens', async () => {
    const port = await freePort();
    const error = await clientOf(`http://127.0.0.1:${port}`)
      .call({ path: '/', schema: anything })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ClientError);
    expect(error).toMatchObject({
      ...{ exitCode: 3, passing: true },
      message: `cannot reach the gateway at http://127.0.0.1:${port} (from --gateway): connection refused`,
    });
  });

  test('the connection breaks', async () => {
    const error = await trouble((_asked, response) => response.destroy());
    expect(error).toMatchObject({ exitCode: 3, passing: true });
    expect(error.message).toMatch(/: the connection broke$/);
  });

  test('silence: given up after the patience', async () => {
    const error = await trouble(() => undefined, { patience: 50 });
    expect(error).toMatchObject({ exitCode: 3, passing: true });
    expect(error.message).toMatch(/: no answer within 0.05 s$/);
  });

  test('somebody else answers there', async () => {
    const page = await trouble((_asked, response) => send(response, 200, '<html>hello</html>'));
    expect(page.message).toBe(`${server?.url} (from --gateway) does not answer as a gateway of CortexOS does`);
    await server?.close();
    const metrics = await trouble((_asked, response) => send(response, 404, 'GET /health or GET /metrics'));
    expect(metrics.message).toContain('does not answer as a gateway of CortexOS does');
    expect(metrics.exitCode).toBe(3);
    await server?.close();
    const list = await trouble((_asked, response) => send(response, 404, '<h1>404</h1>'));
    expect(list).toMatchObject({ exitCode: 3, passing: false });
  });

  test('a redirect is not followed: the key would go along', async () => {
    const other = await startAnswering((_asked, response) => send(response, 200, {}));
    try {
      const error = await trouble((_asked, response) => send(response, 307, '', { location: other.url }), { key: 'k' });
      expect(error.message).toContain(`redirects to ${other.url}`);
      expect(error.exitCode).toBe(3);
      expect(other.asked).toEqual([]);
    } finally {
      await other.close();
    }
  });

  test('an abort is passed on as it is', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    server = await startAnswering(() => abort.abort(reason));
    await expect(clientOf(server.url, { signal: abort.signal }).call({ path: '/', schema: anything })).rejects.toBe(
      reason,
    );
  });
});

test.each([
  ['http://127.0.0.1:8081', 'k', false],
  ['http://localhost:8081', 'k', false],
  ['http://[::1]:8081', 'k', false],
  ['https://example.test', 'k', false],
  ['http://example.test', undefined, false],
  ['http://example.test', 'k', true],
  ['http://10.0.0.1', 'k', true],
])('%s with key %s: in the open %s', (url, key, open) => {
  expect(sendsKeyInTheOpen({ url, from: '' }, key)).toBe(open);
});
