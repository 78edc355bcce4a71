// The bus over WebSocket, for runtimes in which no connection may outlive a request: each call connects, does its work and closes.
// What it publishes is flushed before it answers; what it subscribes to keeps a connection of its own until it is closed.
import { type ConnectionOptions, connect, headers as createHeaders, type MsgHdrs, type NatsConnection } from 'nats.ws';
import { within } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import type { Bus, Delivery, Publication, Subscription } from './bus.ts';
import { deliver } from './nats-client.ts';
import { mapNatsError } from './nats-errors.ts';
import { parseNatsWsUrl } from './nats-url.ts';
import { checkPublication } from './publication.ts';
import { checkPattern } from './subject.ts';

export interface WsBusOptions {
  /** `ws://[user:password@|token@]host:port[/path]` or `wss://`. */
  readonly url: string;
  /** How the connections are shown at the server. */
  readonly name: string;
  /** What has no caller to go to: a handler that threw, a subscription whose connection was lost. */
  readonly onError: (error: CortexError) => void;
  /** How long publish, subscribe and ping may take, the connection included, ms. Default 2,000. */
  readonly deadlineMs?: number;
}

/**
 * `publish` and `ping` as the port has them. `subscribe` as well, but for a lost connection: it is not made anew, `onError` is told
 * (`unavailable`), and `onLost`, if given, is called; who must not miss anything looks at the store meanwhile.
 */
export interface WsBus extends Pick<Bus, 'publish' | 'ping'> {
  subscribe(subject: string, handle: (message: Delivery) => void, onLost?: () => void): Promise<Subscription>;
}

/** Throws invalid_argument for the URL. It connects to nothing yet. */
export function createWsBus({ url, name, onError, deadlineMs = 2_000 }: WsBusOptions): WsBus {
  const { servers, shown, user, pass, token } = parseNatsWsUrl(url);
  const options: ConnectionOptions = {
    servers: [...servers],
    name,
    ...(token !== undefined && { token }),
    ...(user !== undefined && { user, pass: pass ?? '' }),
    timeout: deadlineMs,
    reconnect: false,
    noAsyncTraces: true,
  };
  const late = (): CortexError => new CortexError('unavailable', `no answer from ${shown} within ${deadlineMs} ms`);

  /** A connection for `work`, which must be done before the deadline; else it is closed, now or when it comes. */
  const connected = async <T>(what: string, work: (client: NatsConnection) => Promise<T>): Promise<T> => {
    let client: NatsConnection | undefined;
    let over = false;
    const all = async (): Promise<T> => {
      client = await connect(options);
      if (over) void client.close();
      return work(client);
    };
    try {
      return await within(deadlineMs, all(), late);
    } catch (error) {
      over = true;
      void client?.close();
      throw mapNatsError(error, `${what} at ${shown}`);
    }
  };

  return {
    async publish(messages) {
      if (messages.length === 0) return;
      for (const message of messages) checkPublication(message, Number.POSITIVE_INFINITY);
      await connected('cannot publish', async (client) => {
        const { max_payload } = client.info ?? { max_payload: 1_048_576 };
        for (const message of messages) checkPublication(message, max_payload);
        for (const message of messages) client.publish(message.subject, message.data, optionsOf(message));
        await client.flush();
        await client.close();
      });
    },

    async subscribe(subject, handle, onLost) {
      checkPattern(subject);
      const client = await connected(`cannot subscribe to ${subject}`, async (fresh) => {
        fresh.subscribe(subject, {
          callback(error, message) {
            if (error !== null) onError(mapNatsError(error, `the subscription to ${subject}`));
            else guarded(() => handle(deliver(message)), subject, onError);
          },
        });
        await fresh.flush();
        return fresh;
      });
      let closing: Promise<void> | undefined;
      client.closed().then(
        (reason) => {
          if (closing !== undefined) return;
          onError(new CortexError('unavailable', `lost ${shown}, and with it ${subject}`, { cause: reason }));
          onLost?.();
        },
        () => undefined,
      );
      return { close: () => (closing ??= client.close()) };
    },

    ping: () =>
      connected('cannot reach NATS', async (client) => {
        await client.flush();
        await client.close();
      }),
  };
}

function optionsOf({ headers, reply }: Publication): { headers?: MsgHdrs; reply?: string } {
  const out: { headers?: MsgHdrs; reply?: string } = reply === undefined ? {} : { reply };
  if (headers === undefined) return out;
  out.headers = createHeaders();
  for (const name in headers) out.headers.set(name, headers[name] ?? '');
  return out;
}

/** What escapes from a handler would end the client's reader. */
function guarded(work: () => unknown, subject: string, onError: WsBusOptions['onError']): void {
  const failed = (cause: unknown): void =>
    onError(new CortexError('internal', `the handler of ${subject} failed`, { cause }));
  try {
    const answer = work();
    if (answer instanceof Promise) answer.catch(failed);
  } catch (error) {
    failed(error);
  }
}
