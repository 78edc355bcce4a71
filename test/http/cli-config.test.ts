// cortex config push and show: the real CLI on a real Redis.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '#core/config/stored.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { type CliRun, runCli } from '../helpers/cli.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';

let server: TestServer;
let redis: RedisConnection;
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-config-')));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return name;
};
beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis({ url: server.url, name: 'test', onError: () => undefined });
});
afterAll(async () => {
  await redis.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
const cortex = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliRun> =>
  runCli(args, { cwd: folder, env: { REDIS_URL: server.url, ...env } });

describe('config', () => {
  test('push puts what is sound into Redis, with its version, and show shows it', async () => {
    expect(await cortex(['config', 'show'])).toMatchObject({
      code: 0,
      stdout: 'policy   not pushed\nkeys     not pushed\npools    not pushed\ntimeouts not pushed\n',
    });
    const first = await cortex(['config', 'push']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^policy {3}\d{4}-\S+Z \S{22} {2}from .*config\/safety\.yaml$/m);
    expect(first.stdout).toMatch(/^pools {4}/m);
    expect(first.stdout).not.toMatch(/^keys/m);
    expect((await cortex(['config', 'push'])).stdout).toMatch(/^(?:\w+ +\S+ \S{22} {2}unchanged\n){3}$/);
    const policy = file('policy.yaml', 'tenants: {default: {allow_topics: ["job.*"]}}\n');
    const second = await cortex(['config', 'push', '--only', 'policy', '--policy', policy, '--json']);
    expect(JSON.parse(second.stdout)).toEqual([
      { name: 'policy', changed: true, ...(await readConfig(redis, 'policy'))?.version },
    ]);
    expect(await cortex(['config', 'show', '--only', 'policy'])).toMatchObject({
      code: 0,
      stdout: 'tenants: {default: {allow_topics: ["job.*"]}}\n',
    });
  });

  test('push takes keys from API_KEYS_PATH', async () => {
    const keys = file('keys.yaml', '');
    await cortex(['keys', 'add', '--tenant', 'acme', '--file', keys]);
    expect(await cortex(['config', 'push', '--only', 'keys'])).toMatchObject({ code: 2, stderr: /API_KEYS_PATH/ });
    expect(await cortex(['config', 'push', '--only', 'keys'], { API_KEYS_PATH: keys })).toMatchObject({ code: 0 });
    expect((await readConfig(redis, 'keys'))?.text).toContain('acme');
  });

  test('remove takes a text away', async () => {
    expect(await cortex(['config', 'remove', 'keys'])).toMatchObject({ code: 0, stdout: 'removed keys\n' });
    expect(await readConfig(redis, 'keys')).toBeUndefined();
    expect(await cortex(['config', 'remove', 'keys'])).toMatchObject({ code: 5, stderr: /nothing was pushed/ });
    expect(await cortex(['config', 'remove', 'everything'])).toMatchObject({ code: 2, stderr: /NAME: must be one of/ });
  });

  test('a text that is wrong is told with each problem, and then nothing is pushed', async () => {
    const before = await readConfig(redis, 'policy');
    const policy = file('good.yaml', 'tenants: {}\n');
    const pools = file('bad.yaml', 'topics: [1]\n');
    const run = await cortex(['config', 'push', '--policy', policy, '--pools', pools]);
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/^cortex: bad\.yaml: [^\n]+\n$/);
    expect(await readConfig(redis, 'policy')).toEqual(before);
    const missing = await cortex(['config', 'push', '--policy', 'nowhere.yaml']);
    expect(missing).toMatchObject({ code: 2, stderr: 'cortex: nowhere.yaml: there is no such file\n' });
  });

  test('what is not there, and who cannot be reached, have their exit codes', async () => {
    const run = await cortex(['config', 'show', '--redis', 'redis://127.0.0.1:1']);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/^cortex: --redis: no Redis at redis:\/\/127\.0\.0\.1:1/);
    expect(await cortex(['config', 'show', '--only', 'keys', '--redis', `${server.url}/7`])).toMatchObject({ code: 5 });
    expect(await cortex(['config', 'push', '--only', 'everything'])).toMatchObject({ code: 2 });
    expect(await cortex(['config', 'push'], { REDIS_URL: 'http://x' })).toMatchObject({ code: 2 });
  });
});
