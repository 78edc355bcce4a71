// The bus port. Core semantics only: at most once, no history, queue groups; nothing the system guarantees rests on it.
// Drivers: memory.ts, nats-tcp.node.ts. Redis holds the truth, the bus carries the news.

export interface Publication {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Only headers of our own making; a client's are never forwarded. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A subject on which "no responders" (and nothing else) is answered, see `Bus.probe`. */
  readonly reply?: string;
}

/** All that a function needs. */
export interface Publisher {
  /**
   * Fire and forget: buffered, sent in this turn of the loop; dropped when disconnected (and counted by the driver). Never
   * throws; a message that `publish` would refuse is dropped, counted and told to the driver's `onError`. For news alone.
   */
  post(message: Publication): void;
}

export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  header(name: string): string | undefined;
}

export interface Subscription {
  /** Stops taking; resolves when the server knows and the last handler call has returned. Idempotent. */
  close(): Promise<void>;
}

export interface SubscribeOptions {
  /** Members of one group share the messages; without it every subscriber gets each. */
  readonly queue?: string;
}

export type BusState = 'connected' | 'disconnected' | 'closed';

export interface Bus extends Publisher {
  /**
   * Hands messages to the server, in order, and resolves once it has them (flushed). Throws CortexError `unavailable` when there is no
   * connection within the driver's deadline (a message is then lost or not, nobody knows), `invalid_argument` for a subject
   * or header that the protocol cannot carry.
   */
  publish(messages: readonly Publication[]): Promise<void>;
  /**
   * Calls `handle` for every message, in order of arrival, without waiting for what it returns. `handle` must not throw; what it
   * throws goes to `onError`. Resolves once the server knows of the subscription.
   */
  subscribe(subject: string, handle: (message: Delivery) => void, options?: SubscribeOptions): Promise<Subscription>;
  /** Publishes with a private reply subject; calls `none` if the server says that nobody listens. A hint, never evidence. */
  probe(message: Publication, none: () => void): void;
  /** Whether the connection is up right now. */
  readonly state: BusState;
  /** Calls back on every change of state; the answer stops it. */
  onState(listener: (state: BusState) => void): () => void;
  /** Names of the JetStream streams that capture a subject; empty where there are none or no JetStream. */
  capturing(subject: string): Promise<readonly string[]>;
  /** Round trip to the server. Throws `unavailable`. */
  ping(): Promise<void>;
  /** Flushes, ends every subscription, closes. Idempotent. */
  close(): Promise<void>;
}

/** What a driver hands out: the bus, and what it could not carry. */
export interface BusConnection extends Bus {
  /** Messages that `post` and `probe` gave up: no connection, too much unsent, or refused (told to the driver's `onError`). */
  readonly dropped: number;
}
