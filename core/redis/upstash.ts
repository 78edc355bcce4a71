import type { Redis } from './redis.ts';
export function createUpstashRedis(options: { url: string; token: string }): Redis {
  throw new Error(options.url);
}
