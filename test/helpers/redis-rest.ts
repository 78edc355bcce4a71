// The REST front of Redis inside a test's own process, on a real redis-server, with its requests counted.
import type { HttpBindings } from '@hono/node-server';
import { createLog } from '#core/log.ts';
import { serveHttp } from '#core/process/http.node.ts';
import { createRedisRest, type RedisRestDeps } from '../../local/redis-rest/app.ts';
import { createBackend } from '../../local/redis-rest/backend.ts';

export interface RedisRestFront {
  readonly url: string;
  readonly token: string;
  /** Requests so far. */
  readonly requests: () => number;
  /** What it logged as an error: nothing, if all is well. */
  readonly errors: readonly string[];
  stop(): Promise<void>;
}

export interface FrontOptions extends Pick<RedisRestDeps, 'maxRequestBytes' | 'maxStreams'> {
  /** null for none. */
  readonly token?: string | null;
  readonly commandTimeoutMs?: number;
}

/** Starts a front before the Redis at a URL. */
export async function startRedisRest(url: string, options: FrontOptions = {}): Promise<RedisRestFront> {
  const { token = 'a-token-of-the-test', commandTimeoutMs, ...limits } = options;
  const errors: string[] = [];
  const log = createLog({ level: 'error', write: (line) => void errors.push(line), now: () => Date.now() });
  const backend = createBackend({
    url,
    onTrouble: () => undefined, // tests take the server away
    ...(commandTimeoutMs === undefined ? {} : { commandTimeoutMs }),
  });
  await backend.ready(5_000);
  const peer = (env: unknown): string | undefined => (env as Partial<HttpBindings>).incoming?.socket.remoteAddress;
  const { app, endStreams } = createRedisRest({ backend, token: token ?? undefined, peer, log, ...limits });
  let requests = 0;
  const fetch = (request: Request, env: unknown) => {
    requests++;
    return app.fetch(request, env);
  };
  const server = await serveHttp({ fetch, addr: { host: '127.0.0.1', port: 0 }, log });
  return {
    url: server.url,
    token: token ?? '',
    requests: () => requests,
    errors,
    async stop() {
      endStreams();
      await server.close(1_000);
      backend.close();
    },
  };
}
