// The bus over TCP, for Node processes. It reconnects for ever and notices a dead server within two seconds.
// One process must not use a second NATS transport: nats-core keeps its transport in a global.
import type { MsgHdrs, NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { connect, MsgHdrsImpl, NatsConnectionImpl } from '@nats-io/transport-node';
import { CortexError } from '#core/errors.ts';
import type { BusConnection } from './bus.ts';
import { createNatsBus, type NatsBusOptions } from './nats.ts';
import { mapNatsError } from './nats-errors.ts';
import { parseNatsUrl } from './nats-url.ts';

export interface ConnectBusOptions extends NatsBusOptions {
  /** `nats://[user:password@]host:port`, or `tls://`; several separated by commas. */
  readonly url: string;
  /** How the connection is shown by the server. */
  readonly name: string;
  /** How long to wait for a server that is not there yet, ms. Default 10,000. */
  readonly connectMs?: number;
  /** Credentials and TLS, as the client takes them; they win over those in the URL. */
  readonly credentials?: Pick<NodeConnectionOptions, 'authenticator' | 'user' | 'pass' | 'token' | 'tls'>;
}

/** Milliseconds between tries, with up to as much again at random. */
const retryMs = 200;

/**
 * A bus on a connected server. Throws CortexError: `invalid_argument` for the URL, `unauthenticated` when the server refuses
 * the credentials, `unavailable` naming the URL when no server answered in time.
 */
export async function connectBus(options: ConnectBusOptions): Promise<BusConnection> {
  const { name, connectMs = 10_000, credentials, inboxPrefix } = options;
  const { servers, shown, tls, ...userinfo } = parseNatsUrl(options.url);
  const until = performance.now() + connectMs;
  for (;;) {
    try {
      const client = await connect({
        servers: [...servers],
        name,
        ...userinfo,
        ...(tls && { tls: {} }),
        ...credentials,
        ...(inboxPrefix !== undefined && { inboxPrefix }),
        timeout: 2_000, // also of every later try, so not what is left of this wait
        maxReconnectAttempts: -1,
        reconnectTimeWait: retryMs,
        reconnectJitter: retryMs,
        reconnectJitterTLS: retryMs,
        ignoreAuthErrorAbort: true,
        noAsyncTraces: true,
        // Dead after two unanswered pings and a third interval. One alone would take a busy event loop for a dead server.
        pingInterval: 650,
        maxPingOut: 2,
      });
      return createNatsBus(client, { headersOf, hangUp: () => hangUp(client) }, options);
    } catch (error) {
      const mapped = mapNatsError(error, `no NATS at ${shown}`);
      const pause = retryMs * (1 + Math.random());
      if (mapped.code !== 'unavailable' && mapped.code !== 'deadline_exceeded') throw mapped;
      if (performance.now() + pause > until) {
        throw new CortexError('unavailable', `${mapped.message} (waited ${connectMs} ms)`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Straight into the client's own map: its `set` checks again what is checked already, and takes three times as long. */
function headersOf(headers: Readonly<Record<string, string>>): MsgHdrs {
  const values: Record<string, string[]> = {};
  for (const name in headers) values[name] = [headers[name] ?? ''];
  return MsgHdrsImpl.fromRecord(values);
}

/** The client itself waits until all it has written is gone, which a stopped server with full buffers never lets happen. */
function hangUp(client: NatsConnection): void {
  if (!(client instanceof NatsConnectionImpl)) return;
  void client.protocol.transport.close(new Error('the server does not answer'));
}
