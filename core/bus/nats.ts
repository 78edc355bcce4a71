// The bus on any NATS client of nats-core's shape: what it refuses, how its errors read, how long it waits for a connection.
// It opens none: nats-tcp.node.ts does.
import { within } from '#core/deadline.ts';
import { CortexError, toCortexError } from '#core/errors.ts';
import { createLink } from '#core/link.ts';
import type { BusConnection, Delivery, Publication, SubscribeOptions, Subscription } from './bus.ts';
import { deliver, type NatsClient, readStreamNames } from './nats-client.ts';
import { mapNatsError } from './nats-errors.ts';
import { createOutbox } from './nats-outbox.ts';
import { createProbes } from './nats-probe.ts';
import { checkPublication } from './publication.ts';
import { checkGroup, checkPattern } from './subject.ts';

export interface NatsBusOptions {
  /** What has no caller to go to: handlers that threw, refused posts, permissions, a connection that closed by itself. */
  readonly onError: (error: CortexError) => void;
  /** How long publish, subscribe and ping may take, a lost connection included, ms. Default 2,000. */
  readonly deadlineMs?: number;
  /** Bytes handed to the client that no server has confirmed; above it posts are dropped, publish waits. Default 32 MiB. */
  readonly maxUnsentBytes?: number;
  /** What private reply subjects begin with. Default `_INBOX`. */
  readonly inboxPrefix?: string;
}

/** What a client has no common word for. */
export interface NatsWays<H> {
  /** The client's own kind of headers, from checked ones. */
  headersOf(headers: Readonly<Record<string, string>>): H;
  /** Drops a connection that nobody answers on, without waiting for what is still to be written. */
  hangUp(): void;
}

/** A bus on a connected client, which it owns from now on. */
export function createNatsBus<H>(
  client: NatsClient<H>,
  { headersOf, hangUp }: NatsWays<H>,
  options: NatsBusOptions,
): BusConnection {
  const { onError, deadlineMs = 2_000, maxUnsentBytes = 33_554_432, inboxPrefix = '_INBOX' } = options;
  const report = (message: string, cause: unknown): void => onError(new CortexError('internal', message, { cause }));
  const link = createLink('connected', (error) => report('a listener for the state of the bus failed', error));
  const outbox = createOutbox(client, headersOf, link, onError);
  const probes = createProbes(client, inboxPrefix, report);
  let dropped = 0;
  let closing: Promise<void> | undefined;

  const maxBytes = (): number => client.info?.max_payload ?? 1_048_576;
  const down = (): CortexError => new CortexError('unavailable', `the bus is ${link.state}`);
  const up = async (ms: number): Promise<void> => {
    if (link.state !== 'connected' && !(await link.connected(ms))) throw down();
  };
  const attempt = (message: Publication, send: () => void): void => {
    if (link.state !== 'connected' || outbox.unsent > maxUnsentBytes) {
      dropped++;
      return;
    }
    try {
      checkPublication(message, maxBytes());
    } catch (error) {
      dropped++;
      onError(toCortexError(error));
      return;
    }
    send();
  };
  const publish = async (messages: readonly Publication[]): Promise<void> => {
    for (const message of messages) checkPublication(message, maxBytes());
    if (messages.length === 0) return;
    const until = performance.now() + deadlineMs;
    await up(deadlineMs);
    while (outbox.unsent > maxUnsentBytes) await outbox.flushed(until - performance.now());
    for (const message of messages) outbox.add(message);
    await outbox.flushed(until - performance.now(), new Set(messages.map(({ subject }) => subject)));
  };

  const subscribe = async (
    subject: string,
    handle: (message: Delivery) => void,
    { queue }: SubscribeOptions = {},
  ): Promise<Subscription> => {
    checkPattern(subject);
    if (queue !== undefined) checkGroup(queue);
    const until = performance.now() + deadlineMs;
    await up(deadlineMs);
    let refusal: CortexError | undefined;
    let established = false;
    const failed = (error: unknown): void => report(`the handler of ${subject} failed`, error);
    const subscription = client.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback(error, message) {
        if (error !== null) {
          refusal = mapNatsError(error, `cannot subscribe to ${subject}`);
          if (established) onError(refusal);
          return;
        }
        try {
          // What escapes from here would end the client's reader, and with it every subscription.
          const answer: unknown = handle(deliver(message));
          if (answer instanceof Promise) answer.catch(failed);
        } catch (thrown) {
          failed(thrown);
        }
      },
    });
    try {
      // If the connection is lost on the way, the client subscribes anew by itself: wait for that.
      for (let known = false; !known; ) {
        await up(until - performance.now());
        known = await outbox.flushed(until - performance.now()).then(
          () => true,
          (error: unknown) => {
            if (link.state === 'closed' || performance.now() >= until) throw error;
            return false;
          },
        );
      }
      if (refusal !== undefined) throw refusal;
      established = true;
    } catch (error) {
      subscription.unsubscribe();
      throw error;
    }
    const end = async (): Promise<void> => {
      try {
        if (subscription.isClosed() || link.state !== 'connected') return;
        await within(
          deadlineMs,
          subscription.drain(),
          () => new CortexError('unavailable', 'the bus did not answer in time'),
        );
      } finally {
        if (!subscription.isClosed()) subscription.unsubscribe();
      }
    };
    let ending: Promise<void> | undefined;
    return { close: () => (ending ??= end()) };
  };

  const shut = async (): Promise<void> => {
    try {
      if (link.state === 'connected') {
        outbox.turn();
        await within(
          deadlineMs,
          client.drain(),
          () => new CortexError('unavailable', 'the server did not answer in time'),
        );
      }
    } catch (error) {
      onError(mapNatsError(error, 'the bus could not send its last messages'));
    }
    await client.close();
    link.set('closed');
  };

  const refused = (error: unknown): void => {
    const mapped = mapNatsError(error, 'the bus refused');
    const { operation, subject } = Object(error) as { operation?: unknown; subject?: unknown };
    if (operation === 'subscription') return; // the subscription hears of it itself
    if (operation !== 'publish' || !outbox.refuse(String(subject), mapped)) onError(mapped);
  };
  const watch = async (): Promise<void> => {
    for await (const status of client.status()) {
      if (status.type === 'disconnect') {
        probes.forget();
        link.set('disconnected');
      } else if (status.type === 'staleConnection') hangUp();
      else if (status.type === 'reconnect') link.set('connected');
      else if (status.type === 'error') refused(status.error);
    }
  };
  watch().catch((error: unknown) => report('the states of the bus are no longer heard', error));
  client.closed().then(
    (reason) => {
      link.set('closed');
      if (closing === undefined) onError(new CortexError('unavailable', 'the bus closed by itself', { cause: reason }));
    },
    (error: unknown) => report('the bus did not close well', error),
  );

  return {
    get state() {
      return link.state;
    },
    get dropped() {
      return dropped + outbox.dropped;
    },
    onState: link.onState,
    publish,
    post: (message) => attempt(message, () => outbox.add(message)),
    probe: (message, none) => attempt(message, () => outbox.add({ ...message, reply: probes.expect(none) })),
    subscribe,
    async capturing(subject) {
      checkPattern(subject);
      await up(deadlineMs);
      return readStreamNames(client, subject);
    },
    async ping() {
      if (link.state !== 'connected') throw down();
      await outbox.flushed(deadlineMs);
    },
    close: () => (closing ??= shut()),
  };
}
