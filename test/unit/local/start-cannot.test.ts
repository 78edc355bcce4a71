// `npm start` that does not come up: it says why, and leaves nothing behind. Whole, as in start.test.ts.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readRun, type RunNote } from '../../../local/bootstrap/checkout.mjs';
import { isAlive } from '../../../local/bootstrap/process.mjs';
import { type Checkout, createCheckout } from '../../helpers/checkout.ts';
import { until } from '../../helpers/until.ts';

vi.setConfig({ testTimeout: 60_000 });

let checkout: Checkout;
beforeEach(() => {
  checkout = createCheckout();
});
afterEach(() => checkout.remove());

const runFile = () => join(checkout.root, '.cortex', 'run.json');
const alive = (run: RunNote) => run.children.filter(isAlive).map((child) => child.name);

describe('npm start that cannot', () => {
  const failed = async (env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) => {
    const command = checkout.run('start.mjs', args, env);
    const code = await command.ended;
    expect(existsSync(runFile())).toBe(false);
    return { code, output: command.output() };
  };

  it('names port, holder and variable when a port of ours is taken', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const { code, output } = await failed({ GATEWAY_HTTP_ADDR: `127.0.0.1:${port}` });
    holder.close();
    expect(code).toBe(1);
    expect(output).toMatch(
      new RegExp(
        `^cortex: port ${port} \\(gateway HTTP\\) is taken by pid ${process.pid} \\(.*\\): set GATEWAY_HTTP_ADDR=.*\n$`,
      ),
    );
  });

  it.each([
    ['gateway exits', /gateway ended before it was ready \(exit code 7\)/],
    ['safety exits', /safety ended before it was ready \(exit code 7\)/],
  ])('says why and leaves nothing behind: %s', async (what, message) => {
    checkout.misbehave(what);
    const command = checkout.run('start.mjs');
    let last: RunNote | undefined;
    const watching = setInterval(() => {
      last = readRun(checkout.root) ?? last;
    }, 5);
    expect(await command.ended).toBe(1);
    clearInterval(watching);
    expect(command.output()).toMatch(message);
    expect(last?.children.map((child) => child.name)).toContain('nats-server');
    if (last !== undefined) expect(alive(last)).toEqual([]);
    expect(existsSync(runFile())).toBe(false);
  });

  it('names the entry that does not exist', async () => {
    rmSync(join(checkout.root, 'functions/gateway/node.ts'));
    const { code, output } = await failed();
    expect(code).toBe(1);
    expect(output).toBe('cortex: missing: functions/gateway/node.ts (gateway)\n');
  });

  it('names a server by URL that does not answer', async () => {
    const { code, output } = await failed({ REDIS_URL: 'redis://user:secret@127.0.0.1:1/0' });
    expect(code).toBe(1);
    expect(output).toContain('cortex: REDIS_URL: nothing answers at redis://127.0.0.1:1/0');
    expect(output).not.toContain('secret');
  });

  it('tells what a server said that cannot read its data', async () => {
    const data = join(checkout.root, '.cortex', 'redis', 'appendonlydir');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'appendonly.aof.manifest'), 'nonsense\n');
    const { code, output } = await failed();
    expect(code).toBe(1);
    expect(output).toMatch(/^cortex: redis-server did not start on port \d+:\n/m);
    expect(output).toMatch(/manifest/);
    expect(output).not.toMatch(/^ +at /m);
  });

  it('names an unknown argument', async () => {
    expect(await failed({}, ['--prots', 'auto'])).toMatchObject({
      code: 2,
      output: expect.stringContaining('cortex: --prots: unknown argument') as unknown,
    });
  });

  it('gives up at once when it is interrupted before it is ready', async () => {
    checkout.misbehave('gateway is never ready');
    const command = checkout.run('start.mjs');
    const run = await until(
      () => {
        const note = readRun(checkout.root);
        return note?.children.some((child) => child.name === 'gateway') === true ? note : undefined;
      },
      { timeout: 15_000 },
    );
    command.child.kill('SIGINT');
    expect(await command.ended).toBe(130);
    expect(alive(run)).toEqual([]);
  });
});
