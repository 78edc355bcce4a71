// The bus in memory, for tests and for a system in one process: a server object and any number of clients on it. It refuses
// what the real one refuses, loses what the real one loses, and never calls a handler from inside publish.
import { afterTick } from '#core/coalesce.ts';
import { CortexError } from '#core/errors.ts';
import { createLink } from '#core/link.ts';
import type { BusConnection, Delivery, Publication, Subscription } from './bus.ts';
import { checkPublication } from './publication.ts';
import { checkGroup, checkPattern, matches, overlap } from './subject.ts';

export interface MemoryBus extends BusConnection {
  /** Cuts this client off: nothing comes, nothing goes, its subscriptions wait. */
  disconnect(): void;
  /** Brings it back with its subscriptions; what was published meanwhile is lost to it. */
  reconnect(): void;
}

export interface MemoryBusOptions {
  /** How long publish and subscribe wait for the connection, ms. Default 2,000. */
  readonly deadlineMs?: number;
  /** What handlers throw. By default it is thrown again, where nobody can catch it. */
  readonly onError?: (error: CortexError) => void;
}

export interface MemoryBusServer {
  /** A client of this server. */
  connect(options?: MemoryBusOptions): MemoryBus;
  /** Subscriptions that are open, of all clients. */
  readonly subscriptions: number;
}

export interface MemoryBusServerOptions {
  /** Streams that capture, by name with their subjects. */
  readonly streams?: Readonly<Record<string, readonly string[]>>;
  /** Bytes that one message may have. Default 1 MiB, as nats-server's. */
  readonly maxBytes?: number;
}

interface Interest {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly online: () => boolean;
  readonly take: (message: Publication) => void;
}

/** One client on a server of its own. */
export function createMemoryBus(options: MemoryBusOptions & MemoryBusServerOptions = {}): MemoryBus {
  return createMemoryBusServer(options).connect(options);
}

/** A server that several clients share. */
export function createMemoryBusServer(serverOptions: MemoryBusServerOptions = {}): MemoryBusServer {
  const { streams = {}, maxBytes = 1_048_576 } = serverOptions;
  const interests = new Set<Interest>();
  const waiting: (() => void)[] = [];
  let turns = 0;

  const later = (run: () => void): void => {
    if (waiting.push(run) === 1) {
      afterTick(() => {
        for (const next of waiting.splice(0)) next();
      });
    }
  };
  const route = (message: Publication): Interest[] => {
    const takers: Interest[] = [];
    const groups = new Map<string, Interest[]>();
    for (const interest of interests) {
      if (!interest.online() || !matches(interest.pattern, message.subject)) continue;
      if (interest.queue === undefined) takers.push(interest);
      else groups.set(interest.queue, [...(groups.get(interest.queue) ?? []), interest]);
    }
    for (const members of groups.values()) {
      const chosen = members[turns++ % members.length];
      if (chosen !== undefined) takers.push(chosen);
    }
    return takers;
  };
  const capturedBy = (subject: string): string[] =>
    Object.keys(streams).filter((stream) => (streams[stream] ?? []).some((pattern) => overlap(pattern, subject)));
  const carry = (message: Publication, none?: () => void): void => {
    const copy = { ...message, data: message.data.slice() };
    later(() => {
      const takers = route(copy);
      for (const taker of takers) taker.take(copy);
      if (takers.length === 0 && capturedBy(copy.subject).length === 0) none?.();
    });
  };

  const connect = (options: MemoryBusOptions = {}): MemoryBus => {
    const { deadlineMs = 2_000, onError = throwLater } = options;
    const report = (message: string, cause: unknown): void => onError(new CortexError('internal', message, { cause }));
    const link = createLink('connected', (error) => report('a listener for the state of the bus failed', error));
    const mine = new Set<Interest>();
    let dropped = 0;

    const up = async (): Promise<void> => {
      if (link.state !== 'connected' && !(await link.connected(deadlineMs))) {
        throw new CortexError('unavailable', `the bus is ${link.state}`);
      }
    };
    const attempt = (message: Publication, none?: () => void): void => {
      try {
        checkPublication(message, maxBytes);
      } catch (error) {
        dropped++;
        onError(error as CortexError);
        return;
      }
      if (link.state === 'connected') carry(message, none);
      else dropped++;
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
        for (const message of messages) checkPublication(message, maxBytes);
        await up();
        for (const message of messages) carry(message);
      },
      post: (message) => attempt(message),
      probe(message, none) {
        attempt(message, () => {
          try {
            if (link.state === 'connected') none();
          } catch (error) {
            report(`what a probe of ${message.subject} called failed`, error);
          }
        });
      },
      async subscribe(subject, handle, { queue } = {}) {
        checkPattern(subject);
        if (queue !== undefined) checkGroup(queue);
        await up();
        const interest: Interest = {
          pattern: subject,
          queue,
          online: () => link.state === 'connected',
          take(message) {
            if (!mine.has(interest) || link.state !== 'connected') return;
            const failed = (error: unknown): void => report(`the handler of ${subject} failed`, error);
            try {
              const answer: unknown = handle(deliver(message));
              if (answer instanceof Promise) answer.catch(failed);
            } catch (error) {
              failed(error);
            }
          },
        };
        mine.add(interest);
        interests.add(interest);
        const end = (): void => {
          mine.delete(interest);
          interests.delete(interest);
        };
        return {
          async close() {
            // What was published before still arrives, as it does when a server reads an UNSUB.
            if (mine.has(interest) && link.state === 'connected') await new Promise<void>(later);
            end();
          },
        } satisfies Subscription;
      },
      async capturing(subject) {
        checkPattern(subject);
        await up();
        return capturedBy(subject);
      },
      async ping() {
        await up();
        await new Promise<void>(later);
      },
      disconnect: () => link.set('disconnected'),
      reconnect: () => link.set('connected'),
      async close() {
        if (link.state === 'connected') await new Promise<void>(later);
        for (const interest of mine) interests.delete(interest);
        mine.clear();
        link.set('closed');
      },
    };
  };
  return {
    connect,
    get subscriptions() {
      return interests.size;
    },
  };
}

function deliver(message: Publication): Delivery {
  return {
    subject: message.subject,
    data: message.data,
    // The wire does not keep blanks around a value.
    header: (name) => message.headers?.[name]?.trim(),
  };
}

function throwLater(error: CortexError): void {
  afterTick(() => {
    throw error;
  });
}
