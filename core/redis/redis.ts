// The Redis port: get, set, run(script). No more, because ioredis and the REST client agree exactly on script replies and
// disagree on most others. Drivers: ioredis.node.ts (TCP), upstash.ts (REST).

import type { LinkState } from '#core/link.ts';
import type { Durability } from './durability.ts';

/** What scripts answer: strings, integers, null, and nested lists of them; `false` where one answers in JSON and means null. */
export type Reply = string | number | false | null | readonly Reply[];

/** A Lua script and the digest that the server knows it by; made once by `script()`. */
export interface Script {
  readonly name: string;
  readonly source: string;
}

export type Arg = string | number;

export interface RunOptions {
  /** The signal that gives up waiting; the script may still have run. */
  readonly signal?: AbortSignal;
}

export interface Redis {
  /** The value as text, or null when there is no such key. */
  get(key: string): Promise<string | null>;
  /** Sets a value; `ttlMs` gives it an end. */
  set(key: string, value: string, options?: { ttlMs?: number }): Promise<void>;
  /** Runs a script by its digest, loading it when the server does not know it. Throws CortexError: `unavailable`, `internal`. */
  run(script: Script, keys: readonly string[], args: readonly Arg[], options?: RunOptions): Promise<Reply>;
  /** Bytes that one call may have as a JSON list of strings (request-size.ts); undefined where there is no bound. */
  readonly maxRequestBytes?: number;
}

/** Values that are bytes (archives) pass only where the transport carries them: TCP. */
export interface BinaryRedis extends Redis {
  getBytes(key: string): Promise<Uint8Array | null>;
  /** As `run`, with arguments that may be bytes. */
  runBytes(script: Script, keys: readonly string[], args: readonly (Arg | Uint8Array)[]): Promise<Reply>;
}

/** What a driver with a connection of its own hands out. */
export interface RedisConnection extends BinaryRedis {
  /** Whether the connection is up right now. */
  readonly state: LinkState;
  /** Calls back on every change of state; the answer stops it. */
  onState(listener: (state: LinkState) => void): () => void;
  /** Client calls at the port so far: one for each get, set and run, and two more when a run had to load its script. */
  readonly calls: number;
  /** What the server keeps through a restart. Throws `unavailable`. */
  durability(): Promise<Durability>;
  /** Throws `failed_precondition`, naming the policy, unless the server says that it never evicts. */
  assertNoEviction(): Promise<void>;
  /** Waits for what is under way, then closes. Idempotent. */
  close(): Promise<void>;
}

/** Names a script; the prelude, if any, stands before it. */
export function script(name: string, source: string): Script {
  return { name, source };
}

/** Checks that a reply is a list. */
export function list(reply: Reply | undefined): readonly Reply[] {
  if (Array.isArray(reply)) return reply as readonly Reply[];
  if (typeof reply === 'object' && reply !== null) return []; // Lua does not tell an empty list from an empty object
  throw new TypeError(`a script answered ${typeof reply} where a list was due`);
}

/** A reply as text; nothing becomes the empty string. */
export function text(reply: Reply | undefined): string {
  if (typeof reply === 'string') return reply;
  if (typeof reply === 'number') return String(reply);
  if (reply === null || reply === false || reply === undefined) return '';
  throw new TypeError('a script answered a list where text was due');
}

/** A reply as a number; nothing becomes 0. */
export function int(reply: Reply | undefined): number {
  if (typeof reply === 'number') return reply;
  if (typeof reply === 'string') return Number(reply);
  if (reply === null || reply === false || reply === undefined) return 0;
  throw new TypeError('a script answered a list where a number was due');
}
