// The helper that every test with a real server leans on.
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, identify } from '../../../local/bootstrap/process.mjs';
import { probeNats, probeRedis } from '../../../local/servers/probe.ts';
import { assertOurs, startNats, startRedis, type TestServer } from '../../helpers/servers.ts';
import { startService } from '../../helpers/service-process.ts';

async function command(server: TestServer, text: string, end: RegExp): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`${text}\r\n`);
  let seen = '';
  while (!end.test(seen)) seen += String((await once(socket, 'data'))[0]);
  socket.destroy();
  return seen;
}

describe('nats-server for tests', () => {
  it('starts on a free port, comes back on it after kill -9, and is gone after stop', async () => {
    const nats = await startNats();
    const first = nats.pid;
    const noted = identify(first);
    expect(noted?.cmd).toContain('nats-server');
    await nats.kill();
    expect(await probeNats(nats.port)).toBeUndefined();
    await nats.restart();
    expect(nats.pid).not.toBe(first);
    expect(await probeNats(nats.port)).toBeDefined();
    await nats.stop();
    expect(await probeNats(nats.port)).toBeUndefined();
    expect(existsSync(nats.dir)).toBe(false);
    if (noted !== undefined) expect(isAlive(noted)).toBe(false);
  });

  it('is silent while paused and can be stopped then', async () => {
    const nats = await startNats();
    await nats.pause();
    expect(await probeNats(nats.port)).toBeUndefined();
    nats.resume();
    expect(await probeNats(nats.port)).toBeDefined();
    await nats.pause();
    await nats.stop();
    expect(await probeNats(nats.port)).toBeUndefined();
  });
});

describe('redis-server for tests', () => {
  it('keeps what was written with appendfsync always over kill -9', async () => {
    const redis = await startRedis({ appendonly: true, appendfsync: 'always' });
    await command(redis, 'SET kept yes', /\+OK\r\n/);
    await redis.kill();
    await redis.restart();
    expect(await command(redis, 'GET kept', /\$3\r\nyes\r\n/)).toContain('yes');
    expect(await command(redis, 'CONFIG GET maxmemory-policy', /noeviction/)).toContain('noeviction');
    await redis.stop();
    expect(existsSync(redis.dir)).toBe(false);
  });

  it('listens on loopback only', async () => {
    const redis = await startRedis();
    expect((await probeRedis(redis.port))?.pid).toBe(redis.pid);
    expect(await command(redis, 'CONFIG GET bind', /127\.0\.0\.1\r\n$/)).not.toContain('0.0.0.0');
    await redis.stop();
  });

  it('says what the server said when it cannot start', async () => {
    const redis = await startRedis();
    await expect(startRedis({ port: redis.port })).rejects.toThrow(/did not start on port \d+[^]*in use/i);
    await redis.stop();
  });
});

describe('a server that no test started', () => {
  it('is refused, whatever its URL says, and so is one that has been stopped', async () => {
    const redis = await startRedis();
    const password = redis.url.replace('//', '//me:secret@');
    for (const url of [redis.url, password, `${redis.url}/2`]) expect(() => assertOurs(url)).not.toThrow();
    const foreign = ['redis://127.0.0.1:6379', 'nats://localhost:4222', `redis://localhost:${redis.port}`];
    for (const url of foreign) expect(() => assertOurs(url)).toThrow(/no server there was started by this test/);
    await redis.stop();
    expect(() => assertOurs(redis.url)).toThrow(String(redis.port));
  });

  it.each([{ REDIS_URL: 'redis://127.0.0.1:1' }, { NATS_URL: 'nats://127.0.0.1:1' }])(
    'is given to no process of ours: %j',
    async (env) => {
      await expect(startService('services/scheduler/node.ts', env, ['metrics'])).rejects.toThrow(/was started by this/);
    },
  );
});
