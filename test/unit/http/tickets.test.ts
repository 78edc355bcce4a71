// Tickets on a real Redis: the digest alone is kept, for a minute, and one of many takes it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyDigest } from '#core/http/api-keys.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { type RedisConnection, script } from '#core/redis/redis.ts';
import { createTickets } from '../../../functions/http/tickets.ts';
import { startRedis, type TestServer } from '../../helpers/servers.ts';

let server: TestServer;
let redis: RedisConnection;
beforeAll(async () => {
  server = await startRedis();
  const onError = (error: unknown): never => {
    throw error;
  };
  redis = await connectRedis({ url: server.url, name: 'test', onError });
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const identity = { keyId: 'k', tenant: 't', principal: 'p', role: 'viewer' } as const;

test('one of many redeems it, at whichever gateway', async () => {
  const gateways = [createTickets(redis), createTickets(redis)] as const;
  const { ticket, expiresInMs } = await createTickets(redis).issue(identity);
  expect(expiresInMs).toBe(60_000);
  const tries = await Promise.allSettled(
    Array.from({ length: 50 }, (_, i) => gateways[i % 2 === 0 ? 0 : 1].redeem(ticket)),
  );
  const got = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(got).toEqual([identity]);
});

test('it lives a minute, and nothing in Redis opens anything', async () => {
  const { ticket } = await createTickets(redis).issue(identity);
  const look = script('look', `return {redis.call('KEYS','*'),redis.call('PTTL',KEYS[1])}`);
  const key = `ticket:${keyDigest(ticket)}`;
  const [names, ttl] = (await redis.run(look, [key], [])) as [string[], number];
  expect(names).toEqual([key]);
  expect(ttl).toBeGreaterThan(59_000);
  expect(ttl).toBeLessThanOrEqual(60_000);
  await expect(createTickets(redis).redeem(keyDigest(ticket))).rejects.toMatchObject({ code: 'unauthenticated' });
  await redis.run(script('expire', `return redis.call('PEXPIRE',KEYS[1],0)`), [key], []);
  await expect(createTickets(redis).redeem(ticket)).rejects.toMatchObject({ code: 'unauthenticated', field: 'ticket' });
});
