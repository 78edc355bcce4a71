// What is away just now: the store, the bus, the kernel; or wrong: a stream that captures hand-outs. Says so once in the log, shows it
// in /health, and on `sys.alert` when it has lasted for more than five seconds.
import { isRetryable, toCortexError } from '#core/errors.ts';
import { alertPacket, encodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { type SchedulerDeps, senderId } from './deps.ts';

/** Shorter absences heal by themselves and are nobody's business, ms. */
export const alertAfterMs = 5_000;

export type Part = 'store' | 'bus' | 'kernel' | 'stream';

export interface Troubles {
  /** Notes that a part is not well, and why. */
  away(part: Part, why: string): void;
  /** Notes that a part is well. */
  well(part: Part): void;
  /** A call of the store, or of the bus, failed. Tells listeners each time, the log once. */
  failed(part: 'store' | 'bus', error: unknown): void;
  /** Alerts of what has been away for long enough. Called every second. */
  check(): void;
  /** When bus or store came back last, ms of the monotonic clock. */
  recoveredAt(): number;
  /** What is away, by name. */
  list(): Readonly<Record<string, string>>;
}

interface Absence {
  readonly since: number;
  told: boolean;
  why: string;
}

const what: Readonly<Record<Part, string>> = {
  store: 'the store does not answer',
  bus: 'the bus is away',
  kernel: 'jobs cannot be judged',
  stream: 'hand-outs are captured',
};

export function createTroubles(deps: Pick<SchedulerDeps, 'bus' | 'clock' | 'log' | 'events'>): Troubles {
  const { bus, clock, log, events } = deps;
  const absences = new Map<Part, Absence>();
  let recoveredAt = Number.NEGATIVE_INFINITY;
  const post = (level: 'CRITICAL' | 'INFO', part: Part, code: string, message: string): void => {
    const head = { traceId: '', senderId, atMs: clock.now() };
    const packet = alertPacket(head, { level, component: part, code, message });
    bus.post({ subject: subjects.alert, data: encodePacket(packet) });
    events.emit({ type: 'alert', part, code });
  };
  const troubles: Troubles = {
    away(part, why) {
      const absence = absences.get(part);
      if (absence !== undefined) {
        absence.why = why;
        return;
      }
      absences.set(part, { since: clock.monotonic(), told: false, why });
      log.warn(what[part], { why });
    },
    well(part) {
      const absence = absences.get(part);
      if (absence === undefined) return;
      absences.delete(part);
      if (part === 'bus' || part === 'store') recoveredAt = clock.monotonic();
      const ms = clock.monotonic() - absence.since;
      log.info(`${part}: well again`, { ms: Math.round(ms) });
      // Of the bus's own absence nobody could hear while it lasted, so it is told now.
      if (ms > alertAfterMs) post('INFO', part, `${part}_back`, `${part} was away for ${Math.round(ms / 1000)} s`);
    },
    failed(part, error) {
      const known = toCortexError(error);
      // Not just away: somebody has to look into it.
      if (!isRetryable(known) && !absences.has(part)) log.error(`a call of the ${part} failed`, { error: known });
      troubles.away(part, known.message);
      events.emit({ type: 'trouble', what: part, error });
    },
    check() {
      for (const [part, absence] of absences) {
        if (absence.told || clock.monotonic() - absence.since <= alertAfterMs || bus.state !== 'connected') continue;
        absence.told = true;
        post('CRITICAL', part, `${part}_away`, `${what[part]}: ${absence.why}`);
      }
    },
    recoveredAt: () => recoveredAt,
    list: () => Object.fromEntries(Array.from(absences, ([part, { why }]) => [part, why])),
  };
  return troubles;
}
