// Tells runs that a signal came. The journal has the signals; a message on the bus only says whose to look at, and as it may be lost, the
// journal is asked now and then anyway: how many there are, about all runs together.
import type { Bus, Subscription } from '#core/bus/bus.ts';
import type { JobKey } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { Journal } from '#core/workflow/journal.ts';

export interface SignalBell {
  start(): Promise<void>;
  /** Calls `onSignal` when the run may have more signals than `known()` says. The answer ends that. */
  watch(run: JobKey, known: () => number, onSignal: () => void): () => void;
  stop(): Promise<void>;
}

export interface SignalBellOptions {
  readonly bus: Bus;
  readonly journal: Pick<Journal, 'counts'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two looks without a message, ms. Default 2,000. */
  readonly lookMs?: number;
}

const signalsOfAllTenants = 'cortex.wf.>';

/** A bell on this bus and journal. */
export function createSignalBell({ bus, journal, clock, log, lookMs = 2000 }: SignalBellOptions): SignalBell {
  const watched = new Map<
    string,
    { readonly run: JobKey; readonly known: () => number; readonly onSignal: () => void }
  >();
  let subscription: Subscription | undefined;
  let cancelSweep: (() => void) | undefined;

  const sweep = (): void => {
    cancelSweep = clock.after(lookMs, () => {
      const all = Array.from(watched.values());
      if (all.length === 0) return sweep();
      journal.counts(all.map(({ run }) => run)).then(
        (counts) => {
          for (const [i, one] of all.entries()) if ((counts[i] ?? 0) > one.known()) one.onSignal();
          sweep();
        },
        (error: unknown) => {
          log.debug('signals could not be counted', { error });
          sweep();
        },
      );
    });
  };

  return {
    async start() {
      subscription = await bus.subscribe(signalsOfAllTenants, ({ data }) => {
        // The run's id and nothing else.
        watched.get(new TextDecoder().decode(data))?.onSignal();
      });
      sweep();
    },
    watch(run, known, onSignal) {
      const one = { run, known, onSignal };
      watched.set(run.id, one);
      return () => {
        if (watched.get(run.id) === one) watched.delete(run.id);
      };
    },
    async stop() {
      cancelSweep?.();
      await subscription?.close();
    },
  };
}
