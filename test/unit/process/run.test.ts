// Real processes, from the environment to the exit code.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { nodeProblem } from '#core/process/run.node.ts';
import { childEnv } from '../../helpers/children.ts';
import { type ServiceProcess, startService } from '../../helpers/service-process.ts';
import { until } from '../../helpers/until.ts';

const entry = 'test/unit/process/fixtures/service.ts';
const root = fileURLToPath(new URL('../../..', import.meta.url));
const started: ServiceProcess[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.kill('SIGKILL')));
});

async function start(env: Record<string, string> = {}): Promise<ServiceProcess & { http: string; metrics: string }> {
  const service = await startService(entry, env, ['http', 'metrics']);
  started.push(service);
  return { ...service, http: service.urls['http'] ?? '', metrics: service.urls['metrics'] ?? '' };
}

/** Runs it to its end; for starts that fail. */
function runToEnd(env: Record<string, string>): { code: number | null; stderr: string; stdout: string } {
  const { status, stderr, stdout } = spawnSync(process.execPath, [entry], {
    cwd: root,
    env: { ...childEnv(), METRICS_ADDR: '127.0.0.1:0', ...env },
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { code: status, stderr, stdout };
}

const messages = (service: ServiceProcess): string[] => service.log.map((line) => line.msg ?? '');
async function health(url: string): Promise<[number, Record<string, unknown>]> {
  const response = await fetch(`${url}/health`);
  return [response.status, (await response.json()) as Record<string, unknown>];
}
const ready = (url: string) => until(async () => (await health(url))[0] === 200, { message: 'a healthy process' });

describe('a process', () => {
  it('tells its health, and ends with 0 when asked, everything released in reverse', async () => {
    const service = await start();
    await ready(service.metrics);
    const [, report] = await health(service.metrics);
    expect(report).toMatchObject({ status: 'ok', service: 'cortex-test', front: { ok: true } });
    await until(async () => Number((await health(service.metrics))[1]['uptime_s']) > 0, { message: 'time to pass' });
    expect((await fetch(`${service.metrics}/metrics`)).status).toBe(200);
    expect(await service.stop()).toBe(0);
    expect(messages(service)).toEqual(['ready', 'stopping', 'draining', 'released first', 'stopped']);
    expect(service.stderr).toEqual([]);
    for (const line of service.log) expect(line).toMatchObject({ service: 'cortex-test', level: 'info' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('on %s finishes the request under way and takes no other', async (signal) => {
    const service = await start();
    await ready(service.metrics);
    const answer = fetch(`${service.http}/hold`);
    const other = fetch(`${service.http}/hold`);
    await until(() => messages(service).filter((m) => m === 'holding').length === 2);
    process.kill(service.pid, signal);
    // The drain itself is instant here; the front is a resource whose release waits for its requests.
    await until(
      () =>
        fetch(service.http).then(
          () => false,
          () => true,
        ),
      { message: 'the front to refuse' },
    );
    const [status, report] = await health(service.metrics);
    expect([status, report['status']]).toEqual([503, 'stopping']);
    const answered: string[] = [];
    const texts = Promise.all([answer, other].map(async (response) => answered.push(await (await response).text())));
    process.kill(service.pid, 0); // still there, for the sake of the two
    expect(answered).toEqual([]);
    process.kill(service.pid, 'SIGUSR2');
    await texts;
    expect(answered).toEqual(['finished', 'finished']);
    expect(await service.exited).toBe(0);
  });

  it('a second signal ends it at once', async () => {
    const service = await start({ MODE: 'hang-drain' });
    await ready(service.metrics);
    process.kill(service.pid, 'SIGTERM');
    await until(() => messages(service).includes('draining'));
    process.kill(service.pid, 'SIGINT');
    expect(await service.exited).toBe(130);
    expect(messages(service)).not.toContain('released first');
    expect(messages(service)).toContain('ended at once by a second signal');
  });

  it.each(['hang-drain', 'heed-drain'])('%s: ends with 1 at its deadline, having released everything', async (MODE) => {
    const service = await start({ MODE, DRAIN_SECONDS: '0.1' });
    await ready(service.metrics);
    expect(await service.stop()).toBe(1);
    expect(messages(service)).toEqual(
      expect.arrayContaining(['work was cut off at the deadline', 'released first', 'stopped']),
    );
  });

  it('a release that hangs costs its own time alone, and the zero', async () => {
    const service = await start({ MODE: 'hang-release' });
    await ready(service.metrics);
    expect(await service.stop()).toBe(1);
    expect(messages(service)).toContain('released first');
    expect(service.log.find((line) => line.level === 'error')).toMatchObject({ resource: 'stubborn' });
  });

  it('that is told to stop while it starts gives up its start, and ends with 0', async () => {
    const service = await start({ MODE: 'hang-start' });
    expect((await health(service.metrics))[1]).toMatchObject({ status: 'starting' });
    expect(await service.stop()).toBe(0);
    expect(messages(service)).toEqual(['stopping', 'released first', 'stopped']);
  });

  it.each([
    ['/throw', 'uncaught exception', 'thrown outside'],
    ['/reject', 'unhandled rejection', 'rejected outside'],
  ])('%s: one line with the stack, everything released, exit code 1', async (path, message, inner) => {
    const service = await start();
    await ready(service.metrics);
    await fetch(service.http + path).catch(() => undefined);
    expect(await service.exited).toBe(1);
    const errors = service.log.filter((line) => line.level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ msg: message, error: { message: inner } });
    expect(JSON.stringify(errors[0])).toContain('service.ts');
    expect(messages(service)).toContain('released first');
    expect(service.stderr).toEqual([]);
  });

  it('whose background work died drains and ends with 1', async () => {
    const service = await start();
    await ready(service.metrics);
    await fetch(`${service.http}/fail`);
    expect(await service.exited).toBe(1);
    expect(messages(service)).toEqual(['ready', 'cannot go on', 'draining', 'released first', 'stopped']);
  });
});

describe('a start that fails', () => {
  it('names every problem of the configuration, one a line, and nothing else', () => {
    const { code, stderr, stdout } = runToEnd({ SIZE: '10', MODE: 'odd', LOG_LEVEL: 'loud', METRICS_ADDR: 'here' });
    expect(code).toBe(1);
    expect(stderr.split('\n')).toEqual([
      'cortex-test: METRICS_ADDR: "here" is not a host:port with a port from 0 to 65535',
      'cortex-test: LOG_LEVEL: "loud" is not one of debug, info, warn, error, silent',
      expect.stringMatching(/^cortex-test: MODE: "odd" is not one of plain, /),
      'cortex-test: SIZE: "10" is not a whole number from 1 to 9',
      '',
    ]);
    expect(stdout).toBe('');
    expect(runToEnd({ NAMES: 'x' })).toMatchObject({ code: 1, stderr: 'cortex-test: NAMES: x is taken\n' });
  });

  it('for a reason of ours says it in one line, releases what it had, and ends with 1', () => {
    const { code, stderr, stdout } = runToEnd({ MODE: 'fail-start' });
    expect([code, stderr]).toEqual([1, 'cortex-test: redis://127.0.0.1:1 does not answer at all\n']);
    expect(stdout).toContain('released first');
    expect(stdout + stderr).not.toContain('    at ');
    expect(stdout).not.toContain('could not start');
  });

  it('for a bug has the stack in the log', () => {
    const { code, stderr, stdout } = runToEnd({ MODE: 'break-start' });
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toContain('service.ts');
  });

  it('names a variable that both halves read once', () => {
    expect(runToEnd({ DRAIN_SECONDS: 'x' })).toMatchObject({
      code: 1,
      stderr: 'cortex-test: DRAIN_SECONDS: "x" is not a number of seconds from 0 to 3600\n',
    });
  });

  it('on an old Node is one line', () => {
    expect(nodeProblem('24.21.0')).toBeUndefined();
    expect(nodeProblem('22.19.0')).toMatch(/^needs Node 24, this is v22\.19\.0: /);
  });

  it('because a port is taken names the port and the variable', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    expect(runToEnd({ METRICS_ADDR: `127.0.0.1:${port}` })).toMatchObject({
      code: 1,
      stderr: `cortex-test: METRICS_ADDR: port ${port} is taken by another process\n`,
    });
    holder.close();
  });
});
