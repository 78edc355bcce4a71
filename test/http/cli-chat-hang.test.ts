// cortex chat and a gateway that hangs (a stopped process, a dead network) or refuses in the midst of it. What a real gateway never does at
// the wanted moment a server of the test's own does.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startCli } from '../helpers/cli.ts';
import { startTerminal, type Terminal } from '../helpers/terminal.ts';
import { until } from '../helpers/until.ts';

let terminal: Terminal | undefined;
let stop = (): void => undefined;
afterEach(async () => {
  await terminal?.close();
  terminal = undefined;
  stop();
});

async function gateway(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const says = (response: ServerResponse, status: number, body: object): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const accept = (response: ServerResponse): void => says(response, 202, { job_id: 'j1', trace_id: 't1' });
const isSubmission = ({ method, url }: IncomingMessage): boolean => method === 'POST' && url === '/api/v1/jobs';

/** Asks at a terminal, and presses Ctrl-C when the first half of the answer is there. */
async function interrupted(cancel: (response: ServerResponse) => void): Promise<Terminal> {
  const url = await gateway((request, response) => {
    if (isSubmission(request)) accept(response);
    else if (request.url?.endsWith('/cancel') === true) cancel(response);
    else {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: output\nid: 1-0\ndata: {"offset":0,"text":"half"}\n\n');
    }
  });
  terminal = await startTerminal(['chat', '--gateway', url], {});
  await terminal.says(/> $/);
  terminal.types('hello\r');
  await terminal.says(/half/);
  terminal.types('\u0003');
  return terminal;
}

test.each<[string, (response: ServerResponse) => void, RegExp]>([
  [
    'does not answer a cancel',
    () => undefined,
    /cortex: not cancelled: the gateway did not answer within 10 s; job j1 goes on\r\n[^]*> $/,
  ],
  [
    'refuses a cancel',
    (response) => says(response, 503, { detail: 'not now' }),
    /cortex: not cancelled: the gateway cannot answer now \(503\): not now; job j1 goes on\r\n[^]*> $/,
  ],
])('a gateway that %s: the line names the job, and the conversation goes on', { timeout: 60_000 }, async (...row) => {
  const [, cancel, line] = row;
  const shown = await interrupted(cancel);
  await shown.says(line);
  shown.types('\u0004');
  expect(await shown.ended).toBe(0);
});

test('Ctrl-C while the job is handed in cancels what may have been accepted', { timeout: 60_000 }, async () => {
  const keys: unknown[] = [];
  const cancelled: unknown[] = [];
  const url = await gateway((request, response) => {
    if (isSubmission(request)) {
      keys.push(request.headers['idempotency-key']);
      if (keys.length > 1) accept(response);
    } else {
      cancelled.push(request.url);
      says(response, 200, { id: 'j1', state: 'CANCELLED' });
    }
  });
  terminal = await startTerminal(['chat', '--gateway', url], {});
  await terminal.says(/> $/);
  terminal.types('hello\r');
  await until(() => keys.length === 1, { timeout: 15_000, message: 'the job to be handed in' });
  terminal.types('\u0003');
  await terminal.says(/cancelled\r\n[^]*> $/);
  expect(keys).toEqual([keys[0], keys[0]]);
  expect(cancelled).toEqual(['/api/v1/jobs/j1/cancel']);
});

test('a Ctrl-C that npm hands on, too, does not end it before the job is cancelled', { timeout: 30_000 }, async () => {
  const seen: string[] = [];
  const url = await gateway((request, response) => {
    seen.push(request.url ?? '');
    if (!isSubmission(request)) return says(response, 200, { id: 'j1', state: 'CANCELLED' });
    running.signal('SIGINT');
    // The first one is broken off by it; the second, which asks for the job to cancel, is answered.
    if (seen.length > 1) accept(response);
  });
  const running = startCli(['chat', '--once', 'hello', '--gateway', url]);
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([130, expect.stringContaining('job j1 is CANCELLED')]);
  expect(seen).toEqual(['/api/v1/jobs', '/api/v1/jobs', '/api/v1/jobs/j1/cancel']);
});

test('a second Ctrl-C does not wait for a cancel that hangs', { timeout: 30_000 }, async () => {
  const asked = Promise.withResolvers<void>();
  const url = await gateway(() => asked.resolve());
  const running = startCli(['chat', '--once', 'hello', '--gateway', url]);
  await asked.promise; // before that nobody listens for a Ctrl-C
  let over = false;
  void running.ended.then(() => (over = true));
  const press = (): boolean => {
    running.signal('SIGINT');
    return over;
  };
  await until(press, { timeout: 8_000, message: 'the second Ctrl-C to be heard' });
  expect(await running.ended).toMatchObject({ code: 130, stderr: expect.not.stringContaining('goes on') as unknown });
});

test('through a pipe the next question is asked behind one that is refused', { timeout: 30_000 }, async () => {
  let asked = 0;
  const url = await gateway((request, response) => {
    if (isSubmission(request)) {
      if (++asked === 1) says(response, 400, { detail: 'prompt: too long' });
      else accept(response);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const job = { id: 'j1', state: 'SUCCEEDED', result: { response: 'fine' } };
    response.end(`event: end\nid: 1-1\ndata: ${JSON.stringify(job)}\n\n`);
  });
  const { code, stdout, stderr } = await startCli(['chat', '--gateway', url], { stdin: 'long\nshort\n' }).ended;
  expect([code, stdout, stderr]).toEqual([4, 'fine\n', 'cortex: prompt: too long\n']);
});

test('and not behind one that nobody with this key may ask', { timeout: 30_000 }, async () => {
  let asked = 0;
  const url = await gateway((_request, response) => {
    asked++;
    says(response, 403, { detail: 'the role may not' });
  });
  const { code, stderr } = await startCli(['chat', '--gateway', url], { stdin: 'one\ntwo\n' }).ended;
  expect([code, stderr, asked]).toEqual([4, 'cortex: the role may not\n', 1]);
});
