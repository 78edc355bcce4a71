// The signals of a run: who waits for them, and what came and nobody has taken yet, by name and in order. Part of the machine.
import { toCortexError } from '#core/errors.ts';
import { err, type Result } from '#core/result.ts';

export interface Sent {
  readonly name: string;
  /** Its place among the run's signals, from 0. */
  readonly index: number;
  readonly value: unknown;
}

export interface MailboxHooks<W> {
  /** What it reads a signal with; undefined for one that does not wait any more. */
  readonly checkOf: (waiter: W, name: string) => ((value: unknown) => Result<unknown>) | undefined;
  /** The waiter goes on with what its check made of the signal. */
  readonly take: (waiter: W, value: unknown, sent: Sent) => void;
  readonly refuse: (sent: Sent, why: string) => void;
}

export interface Mailbox<W> {
  wait(waiter: W, name: string): void;
  /** One that came, or that its taker did not live to take: it stands among the others as they came. */
  put(sent: Sent): void;
}

/** A mailbox without signals. */
export function createMailbox<W>({ checkOf, take, refuse }: MailboxHooks<W>): Mailbox<W> {
  const waiters = new Map<string, W[]>();
  const kept = new Map<string, Sent[]>();

  const deliver = (name: string): void => {
    const waiting = waiters.get(name) ?? [];
    const signals = kept.get(name) ?? [];
    while (waiting.length > 0 && signals.length > 0) {
      const waiter = waiting[0] as W;
      const check = checkOf(waiter, name);
      if (check === undefined) {
        waiting.shift();
        continue;
      }
      const sent = signals.shift() as Sent;
      const checked = read(check, sent.value);
      if (!checked.ok) {
        refuse(sent, checked.error.message);
        continue;
      }
      waiting.shift();
      take(waiter, checked.value, sent);
    }
  };

  return {
    wait(waiter, name) {
      const waiting = waiters.get(name) ?? [];
      waiters.set(name, waiting);
      waiting.push(waiter);
      deliver(name);
    },
    put(sent) {
      const { name, index } = sent;
      const signals = kept.get(name) ?? [];
      kept.set(name, signals);
      const later = signals.findIndex((one) => one.index > index);
      signals.splice(later < 0 ? signals.length : later, 0, sent);
      deliver(name);
    },
  };
}

/** A schema may throw (in a `transform`, a `refine`): that is a refusal as well, for what was sent is no doing of the run's. */
function read(check: (value: unknown) => Result<unknown>, value: unknown): Result<unknown> {
  try {
    return check(value);
  } catch (error) {
    return err(toCortexError(error));
  }
}
