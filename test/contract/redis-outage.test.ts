// The Redis driver on a server that is killed, stopped, late, full, a replica or in need of a password.
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { script } from '#core/redis/redis.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startRedis } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';
import { cli, connect, echo, open, spin } from './redis-clients.ts';

test('killed: what is under way and what comes is refused in time, and calls go on after the restart', async () => {
  const server = await startRedis({ appendonly: true, appendfsync: 'always' });
  const redis = await connect(server, { commandTimeoutMs: 500 });
  await redis.set('kept', 'yes');
  await Promise.all([redis.run(echo, [], []), redis.run(spin, [], [0])]);
  const states: string[] = [];
  redis.onState((state) => states.push(state));
  const underWay = redis.run(spin, [], [5_000]).catch((error: unknown) => error);
  await server.kill();
  expect(await underWay).toMatchObject({ code: 'unavailable' });
  await until(() => redis.state === 'disconnected');
  const before = redis.calls;
  const began = performance.now();
  const results = await Promise.allSettled([redis.get('kept'), redis.set('a', 'b'), redis.run(echo, [], [])]);
  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  const took = performance.now() - began;
  expect(took).toBeGreaterThan(400);
  expect(took).toBeLessThan(1_500);
  expect(redis.calls - before).toBe(3);
  await server.restart();
  await until(() => redis.state === 'connected', { timeout: 10_000 });
  expect(await redis.get('kept')).toBe('yes');
  expect(await redis.get('a')).toBeNull(); // nothing was kept for later
  expect(await redis.run(echo, [], ['x'])).toEqual(['x']); // the restart forgot the script
  expect(states).toEqual(['disconnected', 'connected']);
  await redis.close();
  await server.stop();
});

test('a call bridges a short absence', async () => {
  const server = await startRedis();
  const redis = await connect(server, { commandTimeoutMs: 10_000 });
  await server.kill();
  await until(() => redis.state === 'disconnected');
  const waiting = redis.run(echo, [], ['kept']);
  await server.restart();
  expect(await waiting).toEqual(['kept']);
  await redis.close();
  await server.stop();
});

test('a call that ran, but whose answer was lost with the connection, is not sent again', async () => {
  const server = await startRedis();
  const line = await cuttingLine(server.port);
  const redis = await connect({ url: `redis://127.0.0.1:${line.port}` });
  const count = script('count', "return redis.call('INCR', KEYS[1])");
  await redis.run(count, ['n'], []);
  for (let round = 1; round <= 3; round++) {
    line.cutAtNextAnswer();
    const calls = await Promise.allSettled(Array.from({ length: 10 }, () => redis.run(count, ['n'], [])));
    for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    await until(() => redis.state === 'connected');
    expect(await redis.get('n')).toBe(String(1 + 10 * round));
  }
  await redis.close();
  await line.close();
  await server.stop();
});

test('stopped: calls time out, the silence is told, and all is well when it goes on', async () => {
  const server = await startRedis();
  const redis = await connect(server, { commandTimeoutMs: 400 });
  await server.pause();
  const began = performance.now();
  await expect(redis.get('a')).rejects.toMatchObject({ code: 'unavailable' });
  expect(performance.now() - began).toBeLessThan(1_200);
  await until(() => redis.state === 'disconnected', { timeout: 4_000 });
  await expect(redis.get('a')).rejects.toMatchObject({ code: 'unavailable' });
  server.resume();
  await until(() => redis.state === 'connected', { timeout: 10_000 });
  expect(await redis.get('a')).toBeNull();
  await redis.close();
  await server.stop();
});

test('out of memory is told apart', async () => {
  const server = await startRedis({ args: ['--maxmemory', '1'] });
  const redis = await connect(server);
  await expect(redis.set('a', 'b')).rejects.toMatchObject({ code: 'resource_exhausted' });
  const write = script('write', "return redis.call('SET', KEYS[1], ARGV[1])");
  await expect(redis.run(write, ['a'], ['b'])).rejects.toMatchObject({ code: 'resource_exhausted' });
  await redis.close();
  await server.stop();
});

test('a replica refuses writes as unavailable', async () => {
  const server = await startRedis();
  const redis = await connect(server);
  await cli(server.port, 'REPLICAOF', '127.0.0.1', String(await freePort()));
  const write = script('write', "return redis.call('SET', KEYS[1], ARGV[1])");
  await expect(redis.run(write, ['a'], ['b'])).rejects.toMatchObject({ code: 'unavailable' });
  await cli(server.port, 'REPLICAOF', 'NO', 'ONE');
  await until(() =>
    redis.run(write, ['a'], ['b']).then(
      () => true,
      () => false,
    ),
  );
  await redis.close();
  await server.stop();
});

test('one that comes later is waited for, one that never comes is named', async () => {
  const port = await freePort();
  const connecting = connect({ url: `redis://127.0.0.1:${port}` });
  const late = await startRedis({ port });
  expect(await (await connecting).get('a')).toBeNull();
  for (const redis of open.splice(0)) await redis.close();
  await late.stop();
  const failed = connect({ url: `redis://u:hidden@127.0.0.1:${port}` }, { connectMs: 300 });
  await expect(failed).rejects.toMatchObject({ code: 'unavailable' });
  await expect(failed).rejects.toThrow(`redis://127.0.0.1:${port}`);
  await expect(failed).rejects.not.toThrow('hidden');
});

test('a database that the server does not have is told at once, and nothing goes into another one', async () => {
  const server = await startRedis();
  const failed = await connect({ url: `${server.url}/99` }).catch((error: unknown) => error);
  expect(failed).toMatchObject({
    code: 'failed_precondition',
    message: `Redis at ${server.url}/99 lets nobody use its database 99`,
  });
  const redis = await connect({ url: `${server.url}/9` }, { commandTimeoutMs: 500 });
  await server.kill();
  const smaller = await startRedis({ port: server.port, args: ['--databases', '2'] });
  const refusals = async () =>
    Number(
      /cmdstat_select:.*failed_calls=(\d+)/.exec(String(await cli(server.port, 'INFO', 'commandstats')))?.[1] ?? 0,
    );
  await until(async () => (await refusals()) > 1);
  await expect(redis.set('key', 'value')).rejects.toMatchObject({ code: 'unavailable' });
  expect(await cli(server.port, 'DBSIZE')).toBe(0);
  await smaller.stop();
  await server.restart();
  await until(() => redis.state === 'connected', { timeout: 10_000 });
  await redis.set('key', 'value');
  expect(await cli(server.port, 'INFO', 'keyspace')).toMatch(/db9:keys=1/);
  await server.stop();
});

test('a password that is missing or wrong is told at once', async () => {
  const server = await startRedis();
  await cli(server.port, 'ACL', 'SETUSER', 'worker', 'on', '>se:cret', '~*', '+@all');
  await cli(server.port, 'ACL', 'SETUSER', 'default', '-@all', '+auth', '+ping');
  const address = `127.0.0.1:${server.port}`;
  const wrong = connect({ url: `redis://worker:wrong@${address}` });
  await expect(wrong).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(wrong).rejects.not.toThrow('wrong@');
  const right = await connect({ url: `redis://worker:${encodeURIComponent('se:cret')}@${address}` });
  expect(await right.get('a')).toBeNull();
  await right.close();
  await server.stop();
});

/** A line to the server that can be cut at the moment an answer comes back: everything was done, nothing is known. */
async function cuttingLine(to: number) {
  let cutting = false;
  const sockets = new Set<Socket>();
  const listener = createServer((near) => {
    const far = createConnection(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => {
      if (cutting) near.resetAndDestroy();
      else near.write(data);
      cutting = false;
    });
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    cutAtNextAnswer: () => void (cutting = true),
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        listener.close(() => resolve());
      }),
  };
}
