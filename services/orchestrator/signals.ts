// Tells runs that a signal came. The journal has the signals; a message on the bus only says whose to look at, and as it may be lost, the
// journal is asked now and then anyway: how many there are, about all runs together.
import type { Bus, Subscription } from '#core/bus/bus.ts';
import type { JobKey } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { Journal } from '#core/workflow/journal.ts';

export interface SignalListener {
  /** There may be more. */
  more(): void;
  /** There are fewer: the store was restarted and forgot its last second. */
  fewer(): void;
}

export interface SignalBell {
  start(): Promise<void>;
  /** Looks how many signals the run has, beside what `known()` says. The answer ends that. */
  watch(run: JobKey, known: () => number, listener: SignalListener): () => void;
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
    { readonly run: JobKey; readonly known: () => number; readonly listener: SignalListener }
  >();
  let subscription: Subscription | undefined;
  let cancelSweep: (() => void) | undefined;

  const sweep = (): void => {
    cancelSweep = clock.after(lookMs, () => {
      const all = Array.from(watched.values());
      if (all.length === 0) return sweep();
      const before = all.map(({ known }) => known());
      journal.counts(all.map(({ run }) => run)).then(
        (counts) => {
          for (const [i, { known, listener }] of all.entries()) {
            const count = counts[i] ?? 0;
            if (count > known()) listener.more();
            else if (count < (before[i] ?? 0)) listener.fewer();
          }
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
        watched.get(new TextDecoder().decode(data))?.listener.more();
      });
      sweep();
    },
    watch(run, known, listener) {
      const one = { run, known, listener };
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
