// The part of a NATS client that the bus uses, in the shape that nats-core's clients share, and how its messages are read.
import { CortexError } from '#core/errors.ts';
import type { Delivery } from './bus.ts';
import { mapNatsError } from './nats-errors.ts';

export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: { readonly code: number; has(name: string): boolean; get(name: string): string } | undefined;
}

export interface NatsSubscription {
  drain(): Promise<void>;
  unsubscribe(): void;
  isClosed(): boolean;
}

export interface NatsClient<H> {
  readonly info?: { readonly max_payload: number } | undefined;
  publish(subject: string, data: Uint8Array, options?: { reply?: string; headers?: H }): void;
  subscribe(
    subject: string,
    options: { queue?: string; callback: (error: Error | null, message: NatsMessage) => void },
  ): NatsSubscription;
  request(subject: string, data: string, options: { timeout: number }): Promise<NatsMessage>;
  flush(): Promise<void>;
  drain(): Promise<void>;
  close(): Promise<void>;
  closed(): Promise<unknown>;
  status(): AsyncIterable<{ readonly type: string; readonly error?: unknown }>;
}

/** A message as the port has it. Headers are decoded when somebody asks. */
export function deliver(message: NatsMessage): Delivery {
  return {
    subject: message.subject,
    data: message.data,
    header: (name) => (message.headers?.has(name) === true ? message.headers.get(name) : undefined),
  };
}

/** "No responders": the server's own answer, no data and a status of 503. */
export function isNobody(message: NatsMessage): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}

/**
 * Asks JetStream for the streams that capture a subject: at most the first 1,024 names. None when there is no JetStream or
 * no answer within a second.
 */
export async function readStreamNames<H>(client: NatsClient<H>, subject: string): Promise<readonly string[]> {
  let answer: NatsMessage;
  try {
    answer = await client.request('$JS.API.STREAM.NAMES', JSON.stringify({ subject }), { timeout: 1_000 });
  } catch (error) {
    const mapped = mapNatsError(error, 'could not ask for streams');
    if (mapped.code === 'deadline_exceeded' || mapped.code === 'not_found') return [];
    throw mapped;
  }
  const said: unknown = JSON.parse(new TextDecoder().decode(answer.data));
  const { streams, error } = Object(said) as { streams?: unknown; error?: { code?: unknown; description?: unknown } };
  if (error?.code === 503) return []; // JetStream is off for this account
  if (error !== undefined)
    throw new CortexError('internal', `JetStream refuses to list streams: ${String(error.description)}`);
  return Array.isArray(streams) ? streams.map(String) : [];
}
