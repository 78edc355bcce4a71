// What a gateway under test is to the suites. The runs (in this process, as a process of its own) fulfil it.
import { afterAll, beforeAll } from 'vitest';
import type { ApiKey } from '#core/http/api-keys.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Redis } from '#core/redis/redis.ts';
import type { Journal } from '#core/workflow/journal.ts';
import type { Opened } from './sockets.ts';

export interface GatewayOptions {
  /** The keys of the file; undefined: no file. */
  readonly keys?: readonly ApiKey[];
  readonly apiKey?: string;
  readonly tenant?: string;
  readonly rateLimit?: { readonly perSecond: number; readonly burst: number };
  readonly corsOrigins?: readonly string[];
  readonly streams?: { readonly max?: number; readonly maxPerTenant?: number; readonly lifetimeMs?: number };
}

export interface Heard {
  readonly subject: string;
  readonly data: Uint8Array;
}

export interface GatewayUnderTest {
  /** As fetch, with a path in place of a URL. A header `Host` is sent as it is. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** The same for a method of CortexApi, through whatever this gateway serves RPC on. */
  readonly rpc: (path: string, init: RequestInit) => Promise<Response>;
  /** Opens a WebSocket, or answers why not. */
  socket(path: string, headers?: Record<string, string>): Promise<Opened>;
  /** The store behind it, for tests that move a job on or look at what is kept. Its steps reach the gateway as news. */
  readonly store: JobStore;
  /** What runs of workflows remember there. */
  readonly journal: Journal;
  readonly redis: Pick<Redis, 'get' | 'set' | 'run'>;
  /** What came by on a subject since the gateway started, oldest first. */
  heard(subject: string): readonly Heard[];
  /** Keeps news from the store's steps away from the bus, or lets them through again. */
  silence(silent: boolean): void;
  /** Subscriptions to events of tenants now. */
  subscriptions(): Promise<number>;
  /** In workerd each request that waits has a subscription of its own; else those of one tenant share one. */
  readonly isolated?: boolean;
  /** Prometheus text. */
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export type MakeGateway = (options?: GatewayOptions) => Promise<GatewayUnderTest>;

/** A gateway for the tests of one describe block; what it answers is called inside tests. */
export function gatewayFor(make: MakeGateway, options?: GatewayOptions): () => GatewayUnderTest {
  let gateway: GatewayUnderTest | undefined;
  beforeAll(async () => {
    gateway = await make(options);
  });
  afterAll(async () => {
    await gateway?.close();
  });
  return () => {
    if (gateway === undefined) throw new Error('the gateway did not start');
    return gateway;
  };
}
