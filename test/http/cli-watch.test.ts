// cortex watch: the real CLI follows a real gateway, also over its death.
import { describe, expect, test } from 'vitest';
import { freePort } from '../../local/servers/ports.ts';
import { startCli } from '../helpers/cli.ts';
import { cortex, environment, json, stage, startGateway, submitted } from './cli-stage.ts';
import { finish, start } from './drive.ts';

describe('watch ID', () => {
  test('prints a line per step and the end, and its exit code is that of the job', async () => {
    const id = await submitted('hello', '--topic', 'job.echo');
    const watching = startCli(['watch', id], { env: environment() });
    await watching.says(/PENDING/);
    const job = await start(stage, id);
    await watching.says(/RUNNING/);
    await finish(stage, job, { status: 'FAILED', code: 'broken', message: 'it broke' });
    const { code, stdout } = await watching.ended;
    expect(code).toBe(1);
    const states = stdout.split('\n').flatMap((line) => /^\d\d:\d\d:\d\d {2}(\w+)$/.exec(line)?.[1] ?? []);
    expect(states).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'FAILED']);
    expect(stdout).toContain('it broke');
  });

  test('--json prints each event as a line', async () => {
    const id = await submitted('hello');
    await finish(stage, await start(stage, id), { result: '{"n":1}' });
    const { code, stdout } = await cortex(['watch', id, '--json']);
    expect(code).toBe(0);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; data: Record<string, unknown> });
    expect(events.map(({ event }) => event)).toEqual(['state', 'state', 'state', 'state', 'end']);
    expect(events.at(-1)?.data).toMatchObject({ id, state: 'SUCCEEDED', result: { n: 1 } });
  });

  test('of no job, or from no position, says so', async () => {
    expect(await cortex(['watch', 'none'])).toMatchObject({ code: 5, stderr: 'cortex: job not found\n' });
    const id = await submitted('hello');
    const wrong = await cortex(['watch', id, '--cursor', 'x']);
    expect(wrong).toMatchObject({ code: 4, stderr: expect.stringContaining('Last-Event-ID') });
    expect(await cortex(['watch', '--cursor', 'x'])).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^cortex: cursor: [^\n]+\n$/),
    });
  });

  test('goes on when its gateway is killed and comes again', async () => {
    const port = await freePort();
    const env = { GATEWAY_HTTP_ADDR: `127.0.0.1:${port}` };
    const first = await startGateway(env);
    const id = await submitted('hello');
    const url = { CORTEX_URL: `http://127.0.0.1:${port}` };
    const watching = startCli(['watch', id], { env: environment(url) });
    const all = startCli(['watch', '--cursor', '0', '--json'], { env: environment(url) });
    await watching.says(/PENDING/);
    await all.says(new RegExp(id));
    await first.kill();
    const job = await start(stage, id);
    const second = await startGateway(env);
    await watching.says(/RUNNING/);
    await finish(stage, job);
    const { code, stdout } = await watching.ended;
    expect(code).toBe(0);
    expect(stdout.match(/^\d\d:\d\d:\d\d {2}\w+$/gm)?.map((line) => line.slice(10))).toEqual([
      ...['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED'],
    ]);
    await all.says(new RegExp(`"jobId":"${id}","status"`));
    all.signal('SIGINT');
    const packets = (await all.ended).stdout.split('\n').filter((line) => line.includes(id));
    expect(packets).toHaveLength(2);
    await second.stop();
  });
});

describe('watch', () => {
  test('prints a line per submission and per end, and with Ctrl-C how to go on', async () => {
    const watching = startCli(['watch', '--cursor', '0'], { env: environment() });
    const id = await submitted('hello', '--topic', 'job.echo');
    await watching.says(new RegExp(`${id} {2}submitted {2}job\\.echo by local`));
    await finish(stage, await start(stage, id));
    await watching.says(new RegExp(`${id} {2}SUCCEEDED {2}on w1, in 12 ms`));
    watching.signal('SIGINT');
    const { code, stderr } = await watching.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/go on from here: node \S+ watch --cursor \d+-\d+\ncortex: stopped; the jobs go on\n$/);
  });

  test('says why it is not let in', async () => {
    const strict = await startGateway({ API_KEY: 'a-key-of-some-length' });
    const env = { CORTEX_URL: strict.urls['http'] ?? '' };
    const refused = await cortex(['watch'], { env });
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('API key') });
    const withKey = { ...env, CORTEX_API_KEY: 'a-key-of-some-length' };
    const id = String(json(await cortex(['submit', 'x', '--json'], { env: withKey }))['job_id']);
    const watching = startCli(['watch', '--json', '--cursor', '0'], { env: environment(withKey) });
    await watching.says(new RegExp(id));
    watching.signal('SIGINT');
    await watching.ended;
    await strict.stop();
  });
});
