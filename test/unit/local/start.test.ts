// `npm start` whole, on real processes: the real first step, supervisor, nats-server and redis-server, and
// two fake services. What the real services do is other tests' business.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readRun, type RunNote } from '../../../local/bootstrap/checkout.mjs';
import { isAlive } from '../../../local/bootstrap/process.mjs';
import { freePort } from '../../../local/servers/ports.ts';
import { probeNats, probeRedis } from '../../../local/servers/probe.ts';
import { type Checkout, createCheckout } from '../../helpers/checkout.ts';
import { natsOverWebSocket } from '../../helpers/nats-web-socket.ts';
import { startNats, startRedis } from '../../helpers/servers.ts';
import { until } from '../../helpers/until.ts';

vi.setConfig({ testTimeout: 60_000 });

let checkout: Checkout;
beforeEach(() => {
  checkout = createCheckout();
});
afterEach(() => checkout.remove());

/** The machine may be busy with other tests. */
const patient = { timeout: 15_000 };
const runFile = () => join(checkout.root, '.cortex', 'run.json');
const alive = (run: RunNote) => run.children.filter(isAlive).map((child) => child.name);
const pidOf = (run: RunNote | undefined, name: string) => run?.children.find((child) => child.name === name)?.pid;

async function environment(run: RunNote, service: string): Promise<Record<string, string>> {
  const response = await fetch(`${run.urls[`${service}_metrics`]}/env`);
  return (await response.json()) as Record<string, string>;
}

describe('npm start', () => {
  it('comes up, tells where everything is, and ends everything on SIGINT', async () => {
    const command = checkout.run('start.mjs');
    const run = await checkout.ready(command);
    expect(alive(run).toSorted()).toEqual(['gateway', 'nats-server', 'redis-server', 'safety']);
    const bus = await probeNats(Number(new URL(run.nats).port));
    expect(bus).toBeDefined();
    expect(await natsOverWebSocket(run.nats_ws)).toMatchObject({ server_name: bus?.name });
    expect((await probeRedis(Number(new URL(run.redis).port)))?.pid).toBe(pidOf(run, 'redis-server'));
    expect((await fetch(`${run.urls['gateway']}/health`)).status).toBe(200);
    expect(command.output()).toContain('A first job went through');
    expect(command.output()).toContain(`curl -s ${run.urls['gateway']}/api/v1/jobs`);
    expect(command.output()).toContain(`${run.nats}   (WebSocket: ${run.nats_ws})`);
    expect(existsSync(join(checkout.root, '.cortex', 'redis', 'appendonlydir'))).toBe(true);

    command.child.kill('SIGINT');
    expect(await command.ended).toBe(0);
    expect(alive(run)).toEqual([]);
    expect(isAlive(run)).toBe(false);
    expect(existsSync(runFile())).toBe(false);
    // In reverse order: nobody loses a service that it still dials.
    const text = command.output();
    expect(text.indexOf('gateway drains')).toBeGreaterThan(0);
    expect(text.indexOf('safety drains')).toBeGreaterThan(text.indexOf('gateway drains'));
  });

  it.each([
    ['jobs fail', 'job.echo job job-1 ended as FAILED'],
    ['jobs wait', 'job.echo job job-1 waits, and is PENDING: no policy'],
  ])('stays up and tells what became of the first job: %s', async (what, told) => {
    checkout.misbehave(what);
    const command = checkout.run('start.mjs');
    const run = await checkout.ready(command);
    expect(command.output()).toContain(`. No job has gone through yet: ${told}\n`);
    expect(command.output()).not.toContain('CortexOS is ready');
    expect(alive(run)).toHaveLength(4);
    command.child.kill('SIGINT');
    expect(await command.ended).toBe(0);
  });

  it('runs no first job that none of its workers takes', async () => {
    const command = checkout.run('start.mjs', [], { WORKERS: 'repo-scan' });
    await checkout.ready(command);
    expect(command.output()).toContain('No job was run to prove it: npm start knows no input for a job of WORKERS');
  });

  it('gives each process its addresses', async () => {
    const port = await freePort();
    const own = { GATEWAY_METRICS_ADDR: `127.0.0.1:${port}`, LOG_LEVEL: 'debug', TENANT_ID: 'acme' };
    const command = checkout.run('start.mjs', [], own);
    const run = await checkout.ready(command);
    const gateway = await environment(run, 'gateway');
    const safety = await environment(run, 'safety');
    expect(gateway).toMatchObject({
      NATS_URL: run.nats,
      REDIS_URL: run.redis,
      SAFETY_KERNEL_ADDR: new URL(run.urls['safety'] ?? '').host,
      REPO_LOCAL_ROOTS: checkout.root,
      CORTEX_SUPERVISED: '1',
      LOG_LEVEL: 'debug',
      TENANT_ID: 'acme',
    });
    expect(gateway['METRICS_ADDR']).toBe(`127.0.0.1:${port}`);
    expect(safety['METRICS_ADDR']).toBe('127.0.0.1:0');
    expect(gateway['GATEWAY_HTTP_ADDR']).toBe('127.0.0.1:0');
  });

  it('shows warnings on the terminal and keeps the rest in a file', async () => {
    const command = checkout.run('start.mjs');
    await checkout.ready(command);
    const shown = () => command.output().match(/^gateway +warn loud line took=\d+$/m);
    await until(shown, patient);
    expect(command.output()).not.toContain('quiet line');
    expect(readFileSync(join(checkout.root, '.cortex', 'log', 'gateway.log'), 'utf8')).toContain('quiet line');
  });

  it('started a second time, says where the first one runs and exits 0', async () => {
    const first = checkout.run('start.mjs');
    const run = await checkout.ready(first);
    const second = checkout.run('start.mjs');
    expect(await second.ended).toBe(0);
    expect(second.output()).toContain(
      `CortexOS runs from this checkout already: ${run.urls['gateway']} (pid ${run.pid}`,
    );
    expect(alive(run)).toHaveLength(4);
    expect(readRun(checkout.root)).toEqual(run);
    // A slip is told all the same.
    const third = checkout.run('start.mjs', ['--ports', 'banana']);
    expect(await third.ended).toBe(2);
    expect(third.output()).toContain('cortex: --ports: unknown argument');
    // And so is what can be asked for.
    const fourth = checkout.run('start.mjs', ['--help']);
    expect(await fourth.ended).toBe(0);
    expect(fourth.output()).toContain('npm start [-- --ports auto]');
  });

  it('started twice in the same moment, runs once', async () => {
    const commands = [checkout.run('start.mjs'), checkout.run('start.mjs')];
    const loser = await Promise.race(commands.map(async (command) => (await command.ended, command)));
    expect(await loser.ended).toBe(0);
    expect(loser.output()).toContain('runs from this checkout already');
    const winner = commands.find((command) => command !== loser);
    expect(winner?.child.exitCode).toBeNull();
  });

  it('started in two checkouts in the same moment, gives each its own servers', async () => {
    const other = createCheckout();
    try {
      const [nats, ws, store] = [await freePort(), await freePort(), await freePort()];
      const wish = { NATS_PORT: String(nats), NATS_WS_PORT: String(ws), REDIS_PORT: String(store) };
      const commands = [checkout.run('start.mjs', [], wish), other.run('start.mjs', [], wish)] as const;
      const [mine, theirs] = [await checkout.ready(commands[0]), await other.ready(commands[1])];
      expect(mine.nats).not.toBe(theirs.nats);
      expect(mine.redis).not.toBe(theirs.redis);
      for (const own of [mine, theirs]) {
        const bus = await probeNats(Number(new URL(own.nats).port));
        expect(await natsOverWebSocket(own.nats_ws)).toMatchObject({ server_name: bus?.name });
      }
      expect([alive(mine).length, alive(theirs).length]).toEqual([4, 4]);
    } finally {
      await other.remove();
    }
  });

  it('is not installed anew under a running system', async () => {
    const first = checkout.run('start.mjs');
    const run = await checkout.ready(first);
    writeFileSync(join(checkout.root, 'package-lock.json'), '{"packages":{"":{"version":"2.0.0"}}}');
    rmNote();
    writeFileSync(join(checkout.root, 'node_modules', '.package-lock.json'), '{"packages":{"node_modules/x":{}}}');
    const test = checkout.run('test.mjs');
    expect(await test.ended).toBe(1);
    expect(test.output()).toBe(
      `cortex: the dependencies have changed, but CortexOS runs from this checkout (pid ${run.pid}): stop it first, then try again\n`,
    );
    expect(alive(run)).toHaveLength(4);
  });

  it('ends the leftovers of a killed supervisor, by pid, and starts afresh', async () => {
    const first = checkout.run('start.mjs');
    const before = await checkout.ready(first);
    process.kill(before.pid, 'SIGKILL');
    expect(await first.ended).toBe(137);
    expect(alive(before)).toHaveLength(4);

    const second = checkout.run('start.mjs');
    const after = await checkout.ready(second);
    expect(alive(before)).toEqual([]);
    expect(alive(after)).toHaveLength(4);
    const told = second
      .output()
      .match(/^ended what a killed start had left running: (.*)$/m)?.[1]
      ?.split(', ');
    expect(told?.slice(0, 2)).toEqual(['gateway', 'safety']);
    expect(told?.slice(2).toSorted()).toEqual(['nats-server', 'redis-server']);
  });

  it('touches no process that has only inherited the pid of a leftover', async () => {
    const mine = await startRedis();
    const note = {
      pid: 999_999_999,
      startTime: '1',
      cmd: 'gone',
      started_at: '',
      state: 'ready',
      children: [{ name: 'redis-server', pid: mine.pid, startTime: '1', cmd: 'redis-server' }],
    };
    mkdirSync(join(checkout.root, '.cortex'));
    writeFileSync(runFile(), JSON.stringify(note));
    const command = checkout.run('start.mjs');
    await checkout.ready(command);
    expect((await probeRedis(mine.port))?.pid).toBe(mine.pid);
    await mine.stop();
  });

  it('ends in order when only its first process is killed', async () => {
    const command = checkout.run('start.mjs');
    const run = await checkout.ready(command);
    command.child.kill('SIGKILL');
    await until(() => !isAlive(run) && alive(run).length === 0, { ...patient, message: 'the end of everything' });
    expect(existsSync(runFile())).toBe(false);
  });

  it('takes two signals in a moment for one, and forces with a later one', async () => {
    const polite = checkout.run('start.mjs');
    await checkout.ready(polite);
    polite.child.kill('SIGINT');
    polite.child.kill('SIGINT');
    expect(await polite.ended).toBe(0);
    expect(polite.output()).toContain('gateway drains');

    checkout.misbehave('gateway does not drain');
    const stuck = checkout.run('start.mjs');
    const run = await checkout.ready(stuck);
    stuck.child.kill('SIGINT');
    await until(() => stuck.output().includes('gateway does not drain'), patient);
    // Until it is heard: Node lets go of its handlers in the last moment of a process, and a signal then would be its exit code.
    const pressing = setInterval(() => {
      if (!stuck.output().includes('stopping at once')) stuck.child.kill('SIGINT');
    }, 100);
    expect(await stuck.ended).toBe(1);
    clearInterval(pressing);
    expect(stuck.output()).toContain('stopping at once');
    expect(alive(run)).toEqual([]);
    expect(existsSync(runFile())).toBe(false);
  });

  it('takes its time for a slow drain, and calls that no force', async () => {
    checkout.misbehave('gateway drains slowly');
    const command = checkout.run('start.mjs');
    await checkout.ready(command);
    command.child.kill('SIGTERM');
    expect(await command.ended).toBe(0);
    expect(command.output()).not.toContain('stopping at once');
  });

  it('uses the servers that NATS_URL and REDIS_URL name, starts none, and leaves them running', async () => {
    const nats = await startNats();
    const redis = await startRedis();
    const secret = (url: string) => url.replace('//', '//user:p@SECRET@');
    const command = checkout.run('start.mjs', [], { NATS_URL: secret(nats.url), REDIS_URL: secret(redis.url) });
    const run = await checkout.ready(command);
    expect(alive(run).toSorted()).toEqual(['gateway', 'safety']);
    expect(run).toMatchObject({ nats: nats.url, nats_ws: '', redis: redis.url });
    expect(command.output()).not.toContain('WebSocket:');
    expect(readFileSync(runFile(), 'utf8') + command.output()).not.toContain('SECRET');
    expect(statSync(runFile()).mode & 0o777).toBe(0o600);
    expect((await environment(run, 'gateway'))['REDIS_URL']).toBe(secret(redis.url));
    command.child.kill('SIGTERM');
    expect(await command.ended).toBe(0);
    expect(await probeNats(nats.port)).toBeDefined();
    expect(await probeRedis(redis.port)).toBeDefined();
    await nats.stop();
    await redis.stop();
  });

  it('takes the next free port for a server, and never the server that is there', async () => {
    const redis = await startRedis();
    const command = checkout.run('start.mjs', [], { REDIS_PORT: String(redis.port) });
    const run = await checkout.ready(command);
    const port = Number(new URL(run.redis).port);
    expect(port).toBeGreaterThan(redis.port);
    expect(port).toBeLessThan(redis.port + 100);
    expect(command.output()).toContain(`port ${redis.port} is in use: redis-server listens on ${port}`);
    command.child.kill('SIGTERM');
    await command.ended;
    expect((await probeRedis(redis.port))?.pid).toBe(redis.pid);
    await redis.stop();
  });
});

function rmNote(): void {
  writeFileSync(join(checkout.root, 'node_modules', '.cortex-lock-hash'), 'another\n');
}
