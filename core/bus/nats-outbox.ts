// What goes out through a NATS client. All that one turn of the loop publishes leaves in one write (a write for each costs ten
// times as much), all who wait for the server in that turn share one PING, and what no PONG has confirmed is counted, because
// the client itself would buffer without end for a server that reads slowly.
import { afterTick } from '#core/coalesce.ts';
import { within } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import type { Link } from '#core/link.ts';
import type { Publication } from './bus.ts';
import type { NatsClient } from './nats-client.ts';
import { mapNatsError } from './nats-errors.ts';

export interface Outbox {
  /** Queues a checked message for the end of this turn; it is dropped and counted if the link is down by then. */
  add(message: Publication): void;
  /**
   * Resolves once the server has read everything added so far. Rejects with `unavailable` after `ms` or when the connection is
   * lost, with `permission_denied` if the server refused one of `subjects` meanwhile.
   */
  flushed(ms: number, subjects?: ReadonlySet<string>): Promise<void>;
  /** Hands everything to the client now. */
  turn(): void;
  /** The server refused a subject. Answers whether somebody was told. */
  refuse(subject: string, refusal: CortexError): boolean;
  /** Bytes that no PONG has confirmed. */
  readonly unsent: number;
  /** Messages that could not be handed to the client. */
  readonly dropped: number;
}

interface Waiter {
  readonly subjects: ReadonlySet<string>;
  refusal: CortexError | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Bytes per message beyond its data. */
const overhead = 100;
/** Unconfirmed bytes from which a PONG is asked for. */
const confirmEvery = 1_048_576;
const noSubjects: ReadonlySet<string> = new Set();

export function createOutbox<H>(
  client: NatsClient<H>,
  headersOf: (headers: Readonly<Record<string, string>>) => H,
  link: Link,
  onError: (error: CortexError) => void,
): Outbox {
  let queue: Publication[] = [];
  let queued = 0; // bytes
  let waiters: Waiter[] = [];
  const asking = new Set<Waiter>();
  let scheduled = false;
  let handed = 0; // bytes given to the client since the start
  let confirmed = 0; // of those, what a PONG has answered for
  let confirming = false;
  let dropped = 0;

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
  const confirm = async (): Promise<void> => {
    const mark = handed;
    const asked = waiters;
    waiters = [];
    confirming = true;
    for (const waiter of asked) asking.add(waiter);
    try {
      await client.flush();
      // A refusal came before the PONG, but by way of the client's status iterator: let that have its turn first.
      for (let i = 0; i < 8 && asked.length > 0; i++) await Promise.resolve();
      for (const { refusal, resolve, reject } of asked) {
        if (refusal === undefined) resolve();
        else reject(refusal);
      }
    } catch (error) {
      for (const { reject } of asked) reject(mapNatsError(error, 'the bus lost the connection'));
    }
    // After a lost connection nothing is unsent any more either: the client has thrown it away.
    confirmed = Math.max(confirmed, mark);
    confirming = false;
    for (const waiter of asked) asking.delete(waiter);
  };
  const turn = (): void => {
    scheduled = false;
    const messages = queue;
    queue = [];
    queued = 0;
    if (link.state === 'connected') for (const message of messages) hand(message);
    else dropped += messages.length;
    if (waiters.length > 0 || (handed - confirmed > confirmEvery && !confirming)) void confirm();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    afterTick(turn);
  };

  return {
    get unsent() {
      return handed - confirmed + queued;
    },
    get dropped() {
      return dropped;
    },
    turn,
    add(message) {
      queue.push(message);
      queued += message.data.length + overhead;
      schedule();
    },
    flushed(ms, subjects = noSubjects) {
      const answer = new Promise<void>((resolve, reject) => {
        waiters.push({ subjects, refusal: undefined, resolve, reject });
        schedule();
      });
      return within(ms, answer, () => new CortexError('unavailable', 'the bus did not answer in time'));
    },
    refuse(subject, refusal) {
      const concerned = [...asking].filter(({ subjects }) => subjects.has(subject));
      for (const waiter of concerned) waiter.refusal = refusal;
      return concerned.length > 0;
    },
  };
}
