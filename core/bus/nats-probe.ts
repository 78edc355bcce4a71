// Private reply subjects on which the server says that nobody listens. All probes share one subscription, because a
// request of its own for each costs ten times as much. Silence means nothing, so what got no answer is forgotten.
import { isNobody, type NatsClient } from './nats-client.ts';

export interface Probes {
  /** A reply subject; `none` is called if "no responders" comes back on it within two seconds. */
  expect(none: () => void): string;
  /** The connection is gone, and with it every answer. */
  forget(): void;
}

interface Expected {
  readonly none: () => void;
  readonly until: number;
}

const answerMs = 2_000;

/** What `none` throws goes to `report`. */
export function createProbes<H>(
  client: NatsClient<H>,
  inboxPrefix: string,
  report: (message: string, error: unknown) => void,
): Probes {
  const inbox = `${inboxPrefix}.${crypto.randomUUID()}.`;
  const expected = new Map<string, Expected>();
  let asked = 0;
  let listening = false;

  const listen = (): void => {
    listening = true;
    client.subscribe(`${inbox}*`, {
      callback(error, message) {
        if (error !== null) {
          listening = false;
          report('probes of the bus get no answers', error);
          return;
        }
        const probe = expected.get(message.subject);
        if (probe === undefined) return;
        expected.delete(message.subject);
        if (!isNobody(message)) return;
        try {
          probe.none();
        } catch (thrown) {
          report('what a probe called failed', thrown);
        }
      },
    });
  };
  return {
    expect(none) {
      if (!listening) listen();
      const now = performance.now();
      for (const [subject, probe] of expected) {
        if (probe.until > now) break;
        expected.delete(subject);
      }
      const subject = `${inbox}${(asked++).toString(36)}`;
      expected.set(subject, { none, until: now + answerMs });
      return subject;
    },
    forget: () => expected.clear(),
  };
}
