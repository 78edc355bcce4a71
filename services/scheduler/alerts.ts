// Says on `sys.alert` when the store, the bus or the kernel has been away for more than five seconds, and when it is back.
import type { Clock } from '#core/system.ts';
import type { Bus } from '#core/bus/bus.ts';
import { alertPacket, encodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { senderId } from './deps.ts';

/** Shorter absences heal by themselves and are nobody's business, ms. */
export const alertAfterMs = 5_000;

export interface Alerts {
  /** Notes whether a part is there; `detail` says what is wrong. */
  note(part: string, up: boolean, detail?: string): void;
  /** Tells what has been away for long enough. Called every second. */
  check(): void;
}

interface Absence {
  readonly since: number;
  told: boolean;
  detail: string;
}

export function createAlerts(bus: Bus, clock: Clock): Alerts {
  const away = new Map<string, Absence>();
  const post = (level: 'CRITICAL' | 'INFO', part: string, code: string, message: string): void => {
    const head = { traceId: '', senderId, atMs: clock.now() };
    bus.post({
      subject: subjects.alert,
      data: encodePacket(alertPacket(head, { level, component: part, code, message })),
    });
  };
  return {
    note(part, up, detail = '') {
      const absence = away.get(part);
      if (!up) {
        if (absence === undefined) away.set(part, { since: clock.monotonic(), told: false, detail });
        else absence.detail = detail;
        return;
      }
      if (absence === undefined) return;
      away.delete(part);
      const ms = clock.monotonic() - absence.since;
      // Of the bus's own absence nobody could hear while it lasted, so it is told now.
      if (ms > alertAfterMs) post('INFO', part, `${part}_back`, `${part} was away for ${Math.round(ms / 1000)} s`);
    },
    check() {
      for (const [part, absence] of away) {
        if (absence.told || clock.monotonic() - absence.since <= alertAfterMs || bus.state !== 'connected') continue;
        absence.told = true;
        post('CRITICAL', part, `${part}_away`, `${part} is away: ${absence.detail}`);
      }
    },
  };
}
