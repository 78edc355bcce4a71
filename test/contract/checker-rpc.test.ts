// The checker over Connect, against the real kernel behind a real socket.
import { silentLog } from '#core/log.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { createMemoryPolicySource } from '#core/policy/memory-source.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { type HttpServer, serveHttp } from '#core/process/http.node.ts';
import { systemClock } from '#core/system.ts';
import { createSafety } from '../../functions/safety/app.ts';
import { testChecker } from './checker.ts';

testChecker('rpc', async () => {
  const source = createMemoryPolicySource(undefined, () => systemClock.now());
  const { app } = createSafety({ source, metrics: noopMetrics, clock: systemClock, log: silentLog });
  const serve = (port: number): Promise<HttpServer> =>
    serveHttp({ fetch: app.fetch, addr: { host: '127.0.0.1', port }, log: silentLog });
  let server = await serve(0);
  const { port } = server.address;
  return {
    checker: createRpcChecker({ baseUrl: server.url, clock: systemClock }),
    setPolicy: source.set,
    down: async () => void (await server.close(1_000)),
    up: async () => void (server = await serve(port)),
    close: async () => void (await server.close(1_000)),
  };
});
