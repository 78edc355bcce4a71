// The process that replays: it reaches nothing, and says why it cannot run what it cannot run.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runReplay } from '../../../local/replay/run.ts';
import type { ReplayTask } from '../../../local/replay/task.ts';
import { wayNames } from '../../helpers/workers/reaching.ts';

const checkout = fileURLToPath(new URL('../../..', import.meta.url));
const workers = new URL('../../helpers/workers/reaching.ts', import.meta.url).href;
const { signal } = new AbortController();

let reached = 0;
const server = createServer(() => void reached++);
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

const task = (topic: string, payload: string | null): ReplayTask => ({
  attempt: {
    ...{ type: 'attempt', version: 1, topic, tenant: 'default', trace_id: 't', worker: 'w', fence: '1', attempt: 1 },
    ...{ request: { jobId: 'j' }, constraints: '', model: null },
  },
  exchanges: [],
  end: { type: 'end', times: [], status: 'SUCCEEDED', error_code: '', error_message: '', deadline: false, cut: false },
  payload,
});

test('a handler that tries to reach a server of this machine is refused, whatever it tries', {
  timeout: 60_000,
}, async () => {
  const { port } = server.address() as AddressInfo;
  const replayed = await runReplay(task('job.reach', JSON.stringify({ port })), { checkout, signal, workers });
  if (!('outcome' in replayed)) throw new Error(replayed.problem);
  const outcomes = JSON.parse(replayed.outcome.result ?? '') as Record<string, string>;
  const denied = Object.fromEntries(wayNames.map((name) => [name, 'EACCES']));
  expect(outcomes).toEqual({
    ...denied,
    ...{ program: 'ERR_ACCESS_DENIED', thread: 'ERR_ACCESS_DENIED', file: 'ERR_ACCESS_DENIED' },
    websocket: 'Error: the socket failed',
  });
  expect(reached).toBe(0);
});

test.each([
  ['job.nothing', {}, 'there is no worker for job.nothing here'],
  ['job.repo.scan', {}, 'job.repo.scan reads what no recording holds, so it cannot be replayed'],
  [
    'job.repo.report',
    { repo_root: '', files: [], scan_ptr: 'redis://res:scan-1' },
    'job.repo.report reads what no recording holds, so it cannot be replayed',
  ],
])('%s cannot be replayed', { timeout: 30_000 }, async (topic, payload, problem) => {
  expect(await runReplay(task(topic, JSON.stringify(payload)), { checkout, signal })).toEqual({ problem });
});

test('a handler that fails over what is refused here cannot be replayed', { timeout: 30_000 }, async () => {
  expect(await runReplay(task('job.write', '{}'), { checkout, signal, workers })).toEqual({
    problem: 'job.write reads what no recording holds, so it cannot be replayed',
  });
});

test('a payload that the handler does not take is the outcome of that', { timeout: 30_000 }, async () => {
  expect(await runReplay(task('job.reach', '{}'), { checkout, signal, workers })).toMatchObject({
    outcome: { status: 'FAILED', error_code: 'invalid_argument' },
  });
});

test('it ends when nobody waits for it any more', { timeout: 30_000 }, async () => {
  const stop = new AbortController();
  const run = runReplay(task('job.reach', '{}'), { checkout, signal: stop.signal, workers });
  stop.abort(new Error('enough'));
  await expect(run).rejects.toThrow('enough');
});
