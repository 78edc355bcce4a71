// What a process says about itself: where it is in its life, and whether what it leans on answers. Read-only; it repairs nothing.
import { toCortexError } from '#core/errors.ts';
import type { Clock } from '#core/system.ts';
import { within } from './resources.ts';

export type Phase = 'starting' | 'running' | 'stopping';

/** Looks at one thing. What it answers is shown; what it throws means that the thing is not well. */
export type Probe = () => Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>;

export interface CheckOptions {
  /** Without it the process cannot do its work: GET /health answers 503. Default true; false only degrades it. */
  readonly required?: boolean;
}

export interface HealthReport {
  /** Whether to answer 200. */
  readonly healthy: boolean;
  readonly body: {
    readonly status: 'ok' | 'starting' | 'degraded' | 'stopping';
    readonly service: string;
    readonly uptime_s: number;
    readonly [check: string]: unknown;
  };
}

export interface Health {
  /** Adds a check under a name that becomes a key of the report; the same name again replaces it. */
  check(name: string, probe: Probe, options?: CheckOptions): void;
  enter(phase: Phase): void;
  /** Asks every probe, each for at most a second. Callers at the same time share one round. */
  report(): Promise<HealthReport>;
}

const probeMs = 1_000;

/** A report without checks that begins as `starting`. `began`: when the process did, by the same clock; now without it. */
export function createHealth(
  service: string,
  clock: Pick<Clock, 'monotonic'>,
  began: number = clock.monotonic(),
): Health {
  const checks = new Map<string, { readonly probe: Probe; readonly required: boolean }>();
  let phase: Phase = 'starting';
  let round: Promise<HealthReport> | undefined;

  const ask = async (): Promise<HealthReport> => {
    const answers = await Promise.all(
      Array.from(checks, async ([name, { probe, required }]) => {
        try {
          return { name, required, ok: true, shown: { ok: true, ...(await within(probeMs, probe)) } };
        } catch (error) {
          return { name, required, ok: false, shown: { ok: false, error: toCortexError(error).message } };
        }
      }),
    );
    const well = answers.every((a) => a.ok);
    return {
      healthy: phase === 'running' && answers.every((a) => a.ok || !a.required),
      body: {
        status: phase !== 'running' ? phase : well ? 'ok' : 'degraded',
        service,
        uptime_s: Math.round((clock.monotonic() - began) / 100) / 10,
        ...Object.fromEntries(answers.map((a) => [a.name, a.shown])),
      },
    };
  };
  return {
    check(name, probe, options = {}) {
      checks.set(name, { probe, required: options.required ?? true });
    },
    enter(next) {
      phase = next;
    },
    report() {
      round ??= ask().finally(() => {
        round = undefined;
      });
      return round;
    },
  };
}
