// Waiting for the end of a job through what a gateway may go through meanwhile.
import { afterEach, describe, expect, test } from 'vitest';
import { Stop } from '../../../local/bootstrap/stop.mjs';
import { createClient } from '../../../local/cli/client.ts';
import { exit } from '../../../local/cli/exit.ts';
import { GoesOn } from '../../../local/cli/goes-on.ts';
import { jobDetail } from '../../../local/cli/job.ts';
import { situation, waitForEnd } from '../../../local/cli/wait.ts';
import { type Answering, send, startAnswering } from '../../helpers/answering.ts';
import { capture } from '../../helpers/captured.ts';

let server: Answering | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const hints = ['  wait again:  cortex get j1 --wait', '  cancel it:   cortex cancel j1'];

interface Options {
  readonly seconds?: number;
  readonly patience?: number;
  readonly columns?: number;
  readonly abort?: AbortController;
}

async function wait(answer: Parameters<typeof startAnswering>[0], options: Options = {}) {
  const { seconds = Number.POSITIVE_INFINITY, abort = new AbortController(), columns, ...rest } = options;
  server = await startAnswering(answer);
  const captured = capture(columns === undefined ? {} : { columns });
  const gateway = { url: server.url, from: 'from --gateway' };
  const { signal } = abort;
  const client = createClient({ gateway, key: undefined, tenant: undefined, signal, userAgent: 'test' });
  const command = (rest: string): string => `cortex ${rest}`;
  const ended = waitForEnd({ client, out: captured.out, id: 'j1', seconds, signal, command, ...rest }).then(
    (found) => found.value.state,
    (error: unknown) => {
      if (error instanceof GoesOn) return { message: error.message, exitCode: error.exitCode, hints: error.hints };
      if (error instanceof Stop) return { message: error.message, exitCode: error.exitCode };
      throw error;
    },
  );
  return { outcome: await ended, said: captured.stderr(), paths: server.asked.map(({ path }) => path) };
}

test('looks once at first, then lets the gateway hold its answer back', async () => {
  const states = ['PENDING', 'RUNNING', 'RUNNING', 'SUCCEEDED'];
  const { outcome, said, paths } = await wait((_asked, response, i) =>
    send(response, 200, { id: 'j1', state: states[i] }),
  );
  expect(outcome).toBe('SUCCEEDED');
  expect(paths).toEqual(['/api/v1/jobs/j1', ...Array.from({ length: 3 }, () => '/api/v1/jobs/j1?wait=20')]);
  expect(said).toBe('PENDING\nRUNNING\n');
});

test('asks every second where somebody watches, and takes the line away', async () => {
  const states = ['RUNNING', 'FAILED'];
  const { outcome, said, paths } = await wait(
    (_asked, response, i) => send(response, 200, { id: 'j1', state: states[i], worker_id: 'w1' }),
    { columns: 80 },
  );
  expect(outcome).toBe('FAILED');
  expect(paths).toEqual(['/api/v1/jobs/j1', '/api/v1/jobs/j1?wait=1']);
  expect(said).toBe('\r\u001b[2KRUNNING on w1\r\u001b[2K');
});

test('ends with the job as it is when the time is over', async () => {
  const running = { id: 'j1', state: 'RUNNING' };
  const { outcome, paths } = await wait((_asked, response) => send(response, 200, running), { seconds: 0 });
  expect(outcome).toBe('RUNNING');
  expect(paths).toEqual(['/api/v1/jobs/j1']);
});

test('never has an answer held back longer than there is time', async () => {
  const { paths } = await wait(
    (_asked, response, i) => send(response, 200, { id: 'j1', state: i === 0 ? 'RUNNING' : 'SUCCEEDED' }),
    { seconds: 5 },
  );
  expect(paths[1]).toMatch(/\?wait=[1-5]$/);
});

describe('a gateway in trouble', () => {
  test('that passes, does not end the wait', async () => {
    const { outcome, said } = await wait((_asked, response, i) => {
      if (i === 1) response.destroy();
      else if (i === 2) send(response, 503, { detail: 'the gateway is stopping' }, { 'retry-after': '0' });
      else send(response, 200, { id: 'j1', state: i === 0 ? 'RUNNING' : 'SUCCEEDED' });
    });
    expect(outcome).toBe('SUCCEEDED');
    expect(said).toMatch(
      /^RUNNING\nwaiting for the gateway: .*the connection broke\nwaiting for the gateway: .*stopping\n$/,
    );
  });

  test('for too long: the job goes on, and it says how to come back', async () => {
    const { outcome } = await wait((_asked, response) => send(response, 503, { detail: 'away' }), { patience: 0 });
    expect(outcome).toMatchObject({ exitCode: exit.unreachable, hints });
    expect(outcome).toHaveProperty('message', expect.stringMatching(/away; job j1 goes on$/));
  });

  test('that will not pass, ends it at once', async () => {
    const { outcome, paths } = await wait((_asked, response) => send(response, 404, { detail: 'job not found' }));
    expect(outcome).toEqual({ message: 'job not found', exitCode: exit.notFound });
    expect(paths).toHaveLength(1);
  });
});

test('Ctrl-C: the job goes on, and it says how to cancel it', async () => {
  const abort = new AbortController();
  const { outcome } = await wait(
    (_asked, response, i) => {
      if (i === 0) send(response, 200, { id: 'j1', state: 'RUNNING' });
      else abort.abort();
    },
    { abort },
  );
  expect(outcome).toEqual({ message: 'stopped waiting; job j1 goes on', exitCode: 130, hints });
});

test.each([
  [{ state: 'PENDING' }, 'PENDING'],
  [{ state: 'PENDING', safety_reason: 'the kernel is away' }, 'PENDING (the kernel is away)'],
  [{ state: 'SCHEDULED', worker_id: 'w1', losses: 1, failures: 2 }, 'SCHEDULED (before: 2 failed, 1 lost)'],
  [
    { state: 'RUNNING', worker_id: 'w1', progress: { percent: 40, message: 'scan\u001b[1m' } },
    'RUNNING on w1 40% scan\\x1b[1m',
  ],
  [{ state: 'RUNNING', worker_id: 'w1', safety_reason: 'allowed' }, 'RUNNING on w1'],
])('%j is told as %s', (job, text) => {
  expect(situation(jobDetail.parse({ id: 'j1', ...job }))).toBe(text);
});
