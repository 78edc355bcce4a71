// What a Redis keeps, as it says itself, and the eviction policies that are refused.
import { expect, test } from 'vitest';
import { startRedis } from '../helpers/servers.ts';
import { connect } from './redis-clients.ts';

test.each([
  [{ appendonly: true, appendfsync: 'always' }, 'always'],
  [{ appendonly: true, appendfsync: 'everysec' }, 'everysec'],
  [{ appendonly: true, args: ['--appendfsync', 'no'] }, 'none'],
  [{ appendonly: false, args: ['--save', '60 1'] }, 'none'],
] as const)('%j is %s', async (options, expected) => {
  const server = await startRedis(options);
  const redis = await connect(server);
  expect(await redis.durability()).toEqual({
    class: expected,
    evictionPolicy: 'noeviction',
    log: options.appendonly,
    logFailing: false,
    snapshots: 'args' in options && options.args[0] === '--save' ? '60 1' : '',
  });
  await redis.assertNoEviction();
  await redis.close();
  await server.stop();
});

test('a server without CONFIG tells what INFO knows', async () => {
  const server = await startRedis({ appendonly: true, args: ['--rename-command', 'CONFIG', ''] });
  const redis = await connect(server);
  expect(await redis.durability()).toMatchObject({ class: 'unknown', log: true, evictionPolicy: 'noeviction' });
  await redis.assertNoEviction();
  await redis.close();
  await server.stop();
});

test.each([
  [['--maxmemory-policy', 'allkeys-lru']],
  [['--maxmemory-policy', 'volatile-ttl', '--rename-command', 'CONFIG', '']],
])('a server with %j is refused by the name of its policy', async (args) => {
  const server = await startRedis({ args });
  const redis = await connect(server);
  const refused = redis.assertNoEviction();
  await expect(refused).rejects.toMatchObject({ code: 'failed_precondition' });
  await expect(refused).rejects.toThrow(args[1]);
  await redis.close();
  await server.stop();
});
