// The REST front of a Redis, in this process.
import { createRedisRest } from '../../local/redis-rest/app.ts';
import { createBackend } from '../../local/redis-rest/backend.ts';
import { silentLog } from '#core/log.ts';
import { serveHttp } from '#core/process/http.node.ts';

export interface RestFront {
  readonly url: string;
  readonly token: string;
  /** Requests so far. */
  readonly requests: number;
  stop(): Promise<void>;
}

/** A front of the Redis at `redisUrl`, with a token. */
export async function startRedisRest(redisUrl: string): Promise<RestFront> {
  const token = 'a-token-of-the-test';
  let requests = 0;
  const backend = createBackend({ url: redisUrl, onTrouble: () => undefined });
  const { app, endStreams } = createRedisRest({ backend, token, peer: () => '127.0.0.1', log: silentLog });
  const server = await serveHttp({
    fetch: (request, env) => {
      requests++;
      return app.fetch(request, env);
    },
    addr: { host: '127.0.0.1', port: 0 },
    log: silentLog,
    variable: 'REDIS_REST_ADDR',
  });
  return {
    url: server.url,
    token,
    get requests() {
      return requests;
    },
    async stop() {
      endStreams();
      await server.close(1_000);
      backend.close();
    },
  };
}
