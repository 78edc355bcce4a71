// cortex chat against a real gateway as a process, where the test plays the worker: what is printed, when, and the exit codes.
import { describe, expect, test } from 'vitest';
import { freePort } from '../../local/servers/ports.ts';
import { startCli } from '../helpers/cli.ts';
import { until } from '../helpers/until.ts';
import { cortex, environment, newest, stage, startGateway } from './cli-stage.ts';
import { accept, dispatch, finish, start, storedPayload } from './drive.ts';

/** The id of the job that a chat has just submitted on this topic. */
async function asked(topic: string): Promise<string> {
  const look = async () => {
    const last = await newest().catch(() => undefined);
    return last?.topic === topic && (await stage.store.view(last.id, 'default'))?.state === 'PENDING'
      ? last
      : undefined;
  };
  return (await until(look, { timeout: 15_000, message: `a job of ${topic}` })).id;
}

const give = async (job: Awaited<ReturnType<typeof start>>, at: number, text: string): Promise<void> => {
  const { id, tenant, fence, attempt } = job;
  expect(await stage.store.output([{ id, tenant, fence, attempt, at, text }])).toEqual(['ok']);
};

describe('chat', () => {
  test('prints what is given out, and then what the result has more', async () => {
    const running = startCli(['chat', '--once', 'hi', '--topic', 'job.a'], { env: environment() });
    const job = await start(stage, await asked('job.a'));
    await give(job, 0, 'Hello');
    await running.says(/Hello$/);
    await finish(stage, job, { result: '{"response":"Hello there"}' });
    expect(await running.ended).toEqual({ code: 0, stdout: 'Hello there\n', stderr: '' });
    expect(await storedPayload(stage, job.id)).toMatchObject({ prompt: 'hi' });
  });

  test('an attempt that begins anew begins on a new line', async () => {
    const running = startCli(['chat', '--once', 'hi', '--topic', 'job.b'], { env: environment() });
    const job = await start(stage, await asked('job.b'));
    await give(job, 0, 'of the first');
    await running.says(/of the first/);
    const { id, tenant, fence } = job;
    await stage.store.requeue([{ id, tenant, seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    const next = await dispatch(stage, id, 'job.b');
    await accept(stage.store, next);
    await give(next, 0, 'of the second');
    await finish(stage, next, { result: '{"response":"of the second"}' });
    const { code, stdout, stderr } = await running.ended;
    expect([code, stdout]).toEqual([0, 'of the first\nof the second\n']);
    expect(stderr).toContain('begins again');
  });

  test.each([
    [{ status: 'FAILED', code: 'unavailable', message: 'no\nmodel' }, 1, 'FAILED unavailable: no\\nmodel\n'],
    [{ status: 'TIMEOUT', code: 'deadline_exceeded', message: '' }, 8, 'TIMEOUT deadline_exceeded\n'],
  ] as const)('an end that is no success is one line and its exit code: %j', async (end, code, stderr) => {
    const running = startCli(['chat'], { env: environment(), stdin: 'hi' });
    await finish(stage, await start(stage, await asked('job.chat.advanced')), end);
    expect(await running.ended).toEqual({ code, stdout: '', stderr });
  });

  test('no gateway, no key, a wrong option: one line each', async () => {
    const away = { CORTEX_URL: `http://127.0.0.1:${await freePort()}` };
    const unreachable = await cortex(['chat', '--once', 'x'], { env: away });
    expect(unreachable).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^cortex: cannot reach [^\n]+\n$/),
    });
    expect(await cortex(['chat'], { env: away, stdin: 'x\ny\n' })).toMatchObject({
      code: 3,
      stderr: unreachable.stderr,
    });
    const strict = await startGateway({ API_KEY: 'a-key-of-some-length' });
    const refused = await cortex(['chat', '--once', 'x'], { env: { CORTEX_URL: strict.urls['http'] ?? '' } });
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringMatching(/^cortex: [^\n]*CORTEX_API_KEY[^\n]*\n$/) });
    await strict.stop();
    expect(await cortex(['chat', '--once', ' '])).toMatchObject({ code: 2, stderr: expect.stringContaining('--once') });
    expect(await cortex(['chat', '--topic', 'nonsense', '--once', 'x'])).toMatchObject({
      ...{ code: 4, stderr: expect.stringMatching(/^cortex: topic: [^\n]+\n$/) },
    });
  });

  test('nothing to ask is nothing to do', async () => {
    expect(await cortex(['chat'], { stdin: '\n \n' })).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
