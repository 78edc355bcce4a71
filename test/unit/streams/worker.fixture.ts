// The gateway's app as a Worker with nothing behind it but memory: shows that its streams live in workerd. The real entry has drivers.
import { createKeys } from '#core/jobs/keys.ts';
import { createMemoryStore } from '#core/jobs/memory-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { silentLog } from '#core/log.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { systemClock, systemIds } from '#core/system.ts';
import { createGateway } from '../../../functions/gateway/app.ts';
import { createStreamCounts } from '../../../functions/gateway/streams/leases.ts';
import { createKeyring } from '../../../functions/http/keyring.ts';
import { upgradeByPair } from '../../../functions/http/upgrade-pair.ts';

let store: JobStore | undefined;
const values = new Map<string, string>();
const counts = createStreamCounts();

export default {
  async fetch(request: Request): Promise<Response> {
    const ids = systemIds();
    store ??= createMemoryStore({ now: () => Date.now(), random: () => ids.random().replaceAll('-', '') });
    if (new URL(request.url).pathname === '/test/counts') return Response.json(Object.fromEntries(counts.byKind));
    // A gateway per request: nothing that one request waits for is another's.
    const { app } = createGateway({
      ...{ store, ids, clock: systemClock, log: silentLog, metrics: noopMetrics, keys: createKeys(1) },
      redis: {
        get: async (key) => Promise.resolve(values.get(key) ?? null),
        set: async (key, value) => Promise.resolve(void values.set(key, value)),
        run: async (_script, [key = '']) => {
          const value = values.get(key) ?? null;
          values.delete(key);
          return Promise.resolve(value);
        },
      },
      post: () => undefined,
      subscribe: undefined,
      keyring: createKeyring({ apiKey: undefined, tenant: 'default', keys: undefined }),
      rateLimit: undefined,
      health: async () => Promise.resolve({ healthy: true, body: {} } as never),
      peer: () => '127.0.0.1',
      upgrade: upgradeByPair,
      streams: { shared: false, counts, pollMs: 50, beatMs: 200, lifetimeMs: 4_000 },
    });
    return app.fetch(request);
  },
};
