// The client of a target.
import { Queue } from 'bullmq';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { httpBody } from '../payload.ts';
import { connectionOf, type EchoQueue, queueName } from '../peer/queue.ts';
import { connectBullmqClient, lookAt } from './bullmq.ts';
import { connectBusClient } from './bus.ts';
import type { Client, Target } from './client.ts';
import { connectHttpClient, type StoreLook } from './http.ts';
import { resultsAreThere, succeeded } from './store-look.ts';

export async function connectClient(target: Target): Promise<Client> {
  if (target.door === 'http') return connectHttpClient(target, httpBody, await storeLook(target));
  return target.system === 'cortex' ? connectBusClient(target) : connectBullmqClient(target);
}

async function storeLook({ system, redisUrl }: Target): Promise<StoreLook> {
  if (system === 'bullmq') {
    const queue: EchoQueue = new Queue(queueName, { connection: connectionOf(redisUrl) });
    await queue.waitUntilReady();
    return { ...lookAt(queue, 0), close: () => queue.close() };
  }
  const redis = await connectRedis({ url: redisUrl, name: 'bench', onError: (error) => console.error(error) });
  return {
    done: (ids, signal) => resultsAreThere(redis, ids, signal),
    verify: (ids) => succeeded(redis, ids),
    close: () => redis.close(),
  };
}
