// The bus on any NATS client of nats-core's shape. It gathers what one turn of the loop publishes into one write, bounds what
// may be unsent, and turns the client's errors into ours. It opens no connection: nats-tcp.node.ts does.
import { afterTick } from '#core/coalesce.ts';
import { within } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import { createLink } from '#core/link.ts';
import type { BusConnection, Publication } from './bus.ts';
import { mapNatsError } from './nats-errors.ts';
import type { NatsClient } from './nats-client.ts';
import { deliver, readStreamNames } from './nats-client.ts';
import { createProbes } from './nats-probe.ts';
import { checkPublication } from './publication.ts';
import { checkPattern } from './subject.ts';

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

interface Waiter {
  readonly subjects: ReadonlySet<string>;
  refusal: CortexError | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Bytes per message beyond its data, for the account of what is unsent. */
const overhead = 100;
/** Unconfirmed bytes from which a PONG is asked for. */
const confirmEvery = 1_048_576;

/** A bus on a connected client, which it owns from now on. `H` is the client's own kind of headers. */
export function createNatsBus<H>(
  client: NatsClient<H>,
  headersOf: (headers: Readonly<Record<string, string>>) => H,
  options: NatsBusOptions,
): BusConnection {
  const { onError, deadlineMs = 2_000, maxUnsentBytes = 33_554_432, inboxPrefix = '_INBOX' } = options;
  const report = (message: string, cause: unknown): void => onError(new CortexError('internal', message, { cause }));
  const link = createLink('connected', (error) => report('a listener for the state of the bus failed', error));
  let queue: Publication[] = [];
  let waiters: Waiter[] = [];
  const underWay = new Set<Waiter>();
  let scheduled = false;
  let queuedBytes = 0;
  let handed = 0; // bytes given to the client since the start
  let confirmed = 0; // of those, what a PONG has answered for
  let confirming = false;
  let dropped = 0;
  let closing: Promise<void> | undefined;

  const down = (): CortexError => new CortexError('unavailable', `the bus is ${link.state}`);
  const late = (): CortexError => new CortexError('unavailable', `the bus did not answer within ${deadlineMs} ms`);
  const maxBytes = (): number => client.info?.max_payload ?? 1_048_576;

  // One turn: everything queued goes to the client in one loop, which makes it one write; then one PING for all who wait.
  const turn = (): void => {
    scheduled = false;
    const messages = queue;
    queue = [];
    queuedBytes = 0;
    if (link.state !== 'connected') dropped += messages.length;
    else for (const message of messages) hand(message);
    const asking = waiters;
    waiters = [];
    if (asking.length > 0) confirm(asking);
    else if (handed - confirmed > confirmEvery) confirm([]);
  };
  const hand = ({ subject, data, headers, reply }: Publication): void => {
    handed += data.length + overhead;
    try {
      if (headers === undefined && reply === undefined) client.publish(subject, data);
      else client.publish(subject, data, { ...(headers && { headers: headersOf(headers) }), ...(reply && { reply }) });
    } catch (error) {
      dropped++;
      onError(mapNatsError(error, `could not publish on ${subject}`));
    }
  };
  const confirm = (asking: readonly Waiter[]): void => {
    if (asking.length === 0 && confirming) return;
    confirming = true;
    const mark = handed;
    for (const waiter of asking) underWay.add(waiter);
    const settle = async (): Promise<void> => {
      try {
        await client.flush();
        // A refusal came before the PONG, but by way of the client's status iterator: let that have its turn first.
        for (let i = 0; i < 8; i++) await Promise.resolve();
        for (const waiter of asking) {
          if (waiter.refusal === undefined) waiter.resolve();
          else waiter.reject(waiter.refusal);
        }
      } catch (error) {
        for (const waiter of asking) waiter.reject(mapNatsError(error, 'the bus lost the connection'));
      } finally {
        // After a lost connection nothing is unsent any more: the client has thrown it away.
        confirmed = Math.max(confirmed, mark);
        confirming = false;
        for (const waiter of asking) underWay.delete(waiter);
      }
    };
    void settle();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    afterTick(turn);
  };
  const enqueue = (message: Publication): void => {
    queue.push(message);
    queuedBytes += message.data.length + overhead;
    schedule();
  };
  /** Resolves once the server has read everything so far. */
  const flushed = (ms: number, subjects: ReadonlySet<string> = new Set()): Promise<void> => {
    const answer = new Promise<void>((resolve, reject) => {
      waiters.push({ subjects, refusal: undefined, resolve, reject });
      schedule();
    });
    return within(ms, answer, late);
  };
  const up = async (ms: number): Promise<void> => {
    if (link.state !== 'connected' && !(await link.connected(ms))) throw down();
  };
  const attempt = (message: Publication, send: (message: Publication) => void): void => {
    if (link.state !== 'connected' || handed - confirmed + queuedBytes > maxUnsentBytes) {
      dropped++;
      return;
    }
    try {
      checkPublication(message, maxBytes());
    } catch (error) {
      dropped++;
      onError(mapNatsError(error, 'could not publish'));
      return;
    }
    send(message);
  };
  const probes = createProbes(client, inboxPrefix, report);

  const watch = async (): Promise<void> => {
    for await (const status of client.status()) {
      if (status.type === 'disconnect') {
        probes.forget();
        link.set('disconnected');
      } else if (status.type === 'reconnect') link.set('connected');
      else if (status.type === 'error') refused(status.error);
    }
  };
  const refused = (error: unknown): void => {
    const mapped = mapNatsError(error, 'the bus refused');
    const { operation, subject } = Object(error) as { operation?: unknown; subject?: unknown };
    const concerned =
      operation === 'publish' ? [...underWay].filter((waiter) => waiter.subjects.has(String(subject))) : [];
    for (const waiter of concerned) waiter.refusal = mapped;
    // A subscription hears of its own refusal.
    if (concerned.length === 0 && operation !== 'subscription') onError(mapped);
  };
  watch().catch((error: unknown) => report('the states of the bus are no longer heard', error));
  client.closed().then(
    (reason) => {
      link.set('closed');
      if (closing === undefined) onError(new CortexError('unavailable', 'the bus closed by itself', { cause: reason }));
    },
    (error: unknown) => report('the bus did not close well', error),
  );

  const shut = async (): Promise<void> => {
    try {
      if (link.state === 'connected') {
        if (queue.length > 0) turn();
        await within(deadlineMs, client.drain(), late);
      }
    } catch (error) {
      onError(mapNatsError(error, 'the bus could not send its last messages'));
    }
    await client.close();
    link.set('closed');
  };

  return {
    get state() {
      return link.state;
    },
    get dropped() {
      return dropped;
    },
    onState: link.onState,
    async publish(messages) {
      for (const message of messages) checkPublication(message, maxBytes());
      if (messages.length === 0) return;
      const until = performance.now() + deadlineMs;
      await up(deadlineMs);
      if (handed - confirmed + queuedBytes > maxUnsentBytes) await flushed(until - performance.now());
      for (const message of messages) enqueue(message);
      await flushed(until - performance.now(), new Set(messages.map((message) => message.subject)));
    },
    post: (message) => attempt(message, enqueue),
    probe: (message, none) => attempt(message, () => enqueue({ ...message, reply: probes.expect(none) })),
    async subscribe(subject, handle, { queue: group } = {}) {
      checkPattern(subject);
      const until = performance.now() + deadlineMs;
      await up(deadlineMs);
      let refusal: CortexError | undefined;
      let known = false;
      const failed = (error: unknown): void => report(`the handler of ${subject} failed`, error);
      const subscription = client.subscribe(subject, {
        ...(group !== undefined && { queue: group }),
        callback(error, message) {
          if (error !== null) {
            refusal = mapNatsError(error, `cannot subscribe to ${subject}`);
            if (known) onError(refusal);
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
        // A connection lost on the way is tried again: the client subscribes anew by itself.
        for (let reached = false; !reached; ) {
          await up(until - performance.now());
          reached = await flushed(until - performance.now()).then(
            () => true,
            (error: unknown) => {
              if (link.state === 'closed' || performance.now() >= until) throw error;
              return false;
            },
          );
        }
        known = true;
        if (refusal !== undefined) throw refusal;
      } catch (error) {
        subscription.unsubscribe();
        throw error;
      }
      let ending: Promise<void> | undefined;
      const end = async (): Promise<void> => {
        try {
          if (subscription.isClosed()) return;
          if (link.state === 'connected') await within(deadlineMs, subscription.drain(), late);
        } finally {
          if (!subscription.isClosed()) subscription.unsubscribe();
        }
      };
      return { close: () => (ending ??= end()) };
    },
    async capturing(subject) {
      checkPattern(subject);
      await up(deadlineMs);
      return readStreamNames(client, subject);
    },
    async ping() {
      if (link.state !== 'connected') throw down();
      await flushed(deadlineMs);
    },
    close: () => (closing ??= shut()),
  };
}
