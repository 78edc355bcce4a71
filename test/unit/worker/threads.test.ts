// Threads: what crosses the border, what an abort does, what a dead thread takes along.
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import { systemClock } from '#core/system.ts';
import type { JobContext } from '../../../services/worker/define.ts';
import { createThreads, type Threads } from '../../../services/worker/threads.ts';
import { packThrown } from '../../../services/worker/thrown.ts';
import { until } from '../../helpers/until.ts';
import { jobContext } from '../../helpers/workers/context.ts';

const talker = new URL('../../helpers/workers/talker.thread.ts', import.meta.url);
const gossip = new URL('../../helpers/workers/gossip.thread.ts', import.meta.url);
const spinner = new URL('../../helpers/workers/spinner.thread.ts', import.meta.url);

// Patient with threads that were told to stop: this machine may be busy.
const options = { clock: systemClock, log: silentLog, abortMs: 15_000 };
let threads: Threads = createThreads(options);
afterEach(async () => {
  await threads.close();
  expect(threads.size).toBe(0);
  threads = createThreads(options);
});

const run = (what: string, context: Partial<JobContext> = {}): Promise<unknown> =>
  threads.run(talker, { do: what }, jobContext(context));

describe('a handler in a thread', () => {
  test('gets its input and context, and speaks through it', async () => {
    const told: unknown[] = [];
    const lines: unknown[] = [];
    const log = { ...silentLog, info: (message: string, fields?: object) => void lines.push([message, fields]) };
    const given: string[] = [];
    const output = (text: string): void => void given.push(text);
    const context = jobContext({ progress: (...report) => void told.push(report), output, log });
    const value = await threads.run(talker, { do: 'answer' }, context);
    expect(value).toEqual({
      job: context.job,
      fence: context.fence,
      constraints: context.constraints,
      worker: context.worker,
    });
    expect(told).toEqual([[50, 'half']]);
    expect(given).toEqual(['in part']);
    expect(lines).toMatchObject([['working', { error: { code: 'internal', message: 'shown' } }]]);
  });

  test('stores artifacts through the host, and hears of a refusal', async () => {
    const stored: unknown[] = [];
    const pointer = await run('artifact', {
      artifact: async (name, bytes) => {
        stored.push([name, new TextDecoder().decode(bytes)]);
        return 'redis://res:1-list-9';
      },
    });
    expect([pointer, stored]).toEqual(['redis://res:1-list-9', [['list', 'a,b']]]);
    const refused = run('artifact', { artifact: () => Promise.reject(new CortexError('out_of_range', 'too large')) });
    await expect(refused).rejects.toMatchObject({ code: 'out_of_range', message: 'too large' });
  });

  test('fails with the code that it threw, or as the surprise that it was', async () => {
    await expect(run('fail')).rejects.toMatchObject({ code: 'resource_exhausted', message: 'too much', field: 'size' });
    const surprise = await run('surprise').catch((error: unknown) => error);
    expect(surprise).not.toBeInstanceOf(CortexError);
    expect(surprise).toMatchObject({ name: 'TypeError', message: 'unforeseen' });
    await expect(run('uncloneable')).rejects.toThrow('could not be cloned');
  });

  test('keeps its thread for the next job of the module, one job at a time', async () => {
    await run('answer');
    await run('fail').catch(() => undefined);
    expect(threads.size).toBe(1);
    await Promise.all([run('answer'), run('answer'), threads.run(spinner, { ms: 1 }, jobContext())]);
    expect(threads.size).toBe(3);
  });
});

test('what a handler says after its end is said of no other job in its thread', async () => {
  const heard: unknown[] = [];
  const listening = (whose: string): JobContext =>
    jobContext({
      progress: (...report) => void heard.push([whose, ...report]),
      artifact: async (name) => {
        heard.push([whose, name]);
        return 'redis://res:1-leak-9';
      },
      log: { ...silentLog, info: (message) => void heard.push([whose, message]) },
    });
  expect(await threads.run(gossip, { do: 'late' }, listening('first'))).toBe('returned');
  expect(await threads.run(gossip, { do: 'listen' }, listening('second'))).toBeGreaterThanOrEqual(5);
  expect(threads.size).toBe(1); // it was the same one
  expect(heard).toEqual([['second', 1, 'mine']]);
});

test('words of another run are not believed by the host, nor answers by the thread', async () => {
  const made = once(process, 'worker') as Promise<[Worker]>;
  const told: string[] = [];
  const controller = new AbortController();
  const waits = run('wait', {
    signal: controller.signal,
    progress: (_percent, message) => void told.push(message ?? ''),
  });
  const outcome = waits.catch((error: unknown) => error);
  const [worker] = await made;
  await until(() => told.length === 1, { message: 'the thread is waiting' });
  worker.emit('message', { type: 'progress', run: 0, percent: 7, message: 'of another run' });
  worker.emit('message', { type: 'value', run: 0, value: 'of another run' });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage({ type: 'abort', run: 0, reason: packThrown(new Error('of another run')) });
  controller.abort(new CortexError('canceled', 'enough'));
  expect(await outcome).toMatchObject({ message: 'enough' });
  expect(told).toEqual(['waiting']);
});

test('a thread whose word cannot be read is ended, and its job fails', async () => {
  const made = once(process, 'worker') as Promise<[Worker]>;
  const waits = run('wait').catch((error: unknown) => error);
  const [worker] = await made;
  const exit = once(worker, 'exit');
  worker.emit('messageerror', new TypeError('unreadable'));
  expect(await waits).toMatchObject({ message: 'unreadable' });
  await exit;
  expect(threads.size).toBe(0);
});

describe('a thread that dies', () => {
  test.each([
    ['exit', 'ended with code 3'],
    ['throw later', 'nobody catches this'],
  ])('fails its own job alone (%s)', async (what, message) => {
    const waiting = new AbortController();
    const other = run('wait', { signal: waiting.signal });
    const settled = other.catch((error: unknown) => error);
    const error = await run(what).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(CortexError); // a surprise, so worth another attempt
    expect((error as Error).message).toContain(message);
    expect(threads.size).toBe(1);
    waiting.abort(new CortexError('canceled', 'enough'));
    expect(await settled).toMatchObject({ code: 'canceled', message: 'enough' });
  });

  test('of hunger is told apart', async () => {
    const small = createThreads({ ...options, heapMb: 16 });
    await expect(small.run(talker, { do: 'fill' }, jobContext())).rejects.toMatchObject({ code: 'resource_exhausted' });
    await small.close();
  });

  test('because its module does not exist fails the job', async () => {
    const nowhere = new URL('./nowhere.thread.ts', import.meta.url);
    await expect(threads.run(nowhere, {}, jobContext())).rejects.toThrow(/nowhere/);
  });
});

describe('an abort', () => {
  test('reaches a handler that waits, and its thread is not used again', async () => {
    const controller = new AbortController();
    const waiting = run('wait', {
      signal: controller.signal,
      progress: () => controller.abort(new CortexError('canceled', 'the job was cancelled')),
    });
    await expect(waiting).rejects.toMatchObject({ code: 'canceled', message: 'the job was cancelled' });
    expect(threads.size).toBe(0);
  });

  test('ends a thread that computes on', async () => {
    const controller = new AbortController();
    const begun = Promise.withResolvers<void>();
    const impatient = createThreads({ ...options, abortMs: 50 });
    const spinning = impatient.run(
      spinner,
      {},
      jobContext({ signal: controller.signal, progress: () => begun.resolve() }),
    );
    await begun.promise;
    controller.abort(new CortexError('aborted', 'the lease could not be renewed in time'));
    await expect(spinning).rejects.toMatchObject({ code: 'aborted' });
    expect(impatient.size).toBe(0);
  });

  test('that came before the start starts nothing', async () => {
    const signal = AbortSignal.abort(new CortexError('canceled', 'too late'));
    await expect(run('wait', { signal })).rejects.toMatchObject({ code: 'canceled', message: 'too late' });
    expect(threads.size).toBe(0);
  });
});
