// What the hosted workers say about themselves on `sys.heartbeat`: at once, every five seconds, and again when one becomes full or free,
// so that schedulers need not guess. News: what decides is the capacity that the store knows.
import type { Bus } from '#core/bus/bus.ts';
import { encodePacket, heartbeatPacket } from '#core/protocol/envelope.ts';
import { dispatchLabel, subjects } from '#core/protocol/subjects.ts';
import type { Clock } from '#core/system.ts';
import type { HostedWorker } from './hosted.ts';

export interface HeartbeatsOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly instance: string;
  readonly workers: () => readonly HostedWorker[];
  readonly draining: () => boolean;
  /** CPU load of the machine, percent. */
  readonly cpuLoad: () => number;
  /** Default `local`, as in the original. */
  readonly region?: string;
  /** Default 5,000. */
  readonly everyMs?: number;
  /** Between two beats at least. Default 200. */
  readonly gapMs?: number;
}

export interface Heartbeats {
  /** Beats now and from now on. */
  start(): void;
  /** Something changed that schedulers should know soon. */
  changed(): void;
  /** Beats now: something changed that schedulers should know before anything else. */
  now(): void;
  /** A last beat, then silence. */
  stop(): void;
}

/** Beats are for all hosted workers together: one message each. */
export function createHeartbeats(options: HeartbeatsOptions): Heartbeats {
  const { bus, clock, everyMs = 5000, gapMs = 200 } = options;
  let cancel: () => void = () => undefined;
  let nextAt = Number.POSITIVE_INFINITY;
  let lastAt = Number.NEGATIVE_INFINITY;
  let running = false;
  let unsubscribe: () => void = () => undefined;

  const beat = (): void => {
    cancel();
    lastAt = clock.monotonic();
    const cpuLoad = options.cpuLoad();
    for (const worker of options.workers()) {
      const { definition } = worker;
      const packet = heartbeatPacket(
        { traceId: `hb-${worker.id}`, senderId: worker.id, atMs: clock.now() },
        {
          workerId: worker.id,
          region: options.region ?? 'local',
          type: 'cpu',
          cpuLoad,
          activeJobs: worker.active,
          capabilities: [...definition.capabilities],
          pool: definition.pool,
          maxParallelJobs: options.draining() ? 0 : worker.parallel,
          labels: {
            [dispatchLabel.name]: dispatchLabel.direct,
            'cortex.instance': options.instance,
            'cortex.topics': definition.topic,
          },
        },
      );
      bus.post({ subject: subjects.heartbeat, data: encodePacket(packet) });
    }
    nextAt = Number.POSITIVE_INFINITY;
    plan(everyMs);
  };
  const plan = (ms: number): void => {
    const at = clock.monotonic() + ms;
    if (!running || at >= nextAt) return;
    cancel();
    nextAt = at;
    cancel = clock.after(ms, beat);
  };
  return {
    start() {
      running = true;
      // Schedulers may have come up, or forgotten us, while the connection was away.
      unsubscribe = bus.onState((state) => {
        if (state === 'connected') plan(0);
      });
      beat();
    },
    now() {
      if (running) beat();
    },
    changed: () => plan(Math.max(0, lastAt + gapMs - clock.monotonic())),
    stop() {
      if (!running) return;
      running = false;
      unsubscribe();
      beat();
      cancel();
    },
  };
}
