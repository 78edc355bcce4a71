// A store that can be taken away: calls fail `unavailable`, hang, or happen unheard. For tests of those who call it.
import { CortexError } from '#core/errors.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Journal } from '#core/workflow/journal.ts';
import { settle } from './clock.ts';

type Name = keyof JobStore | keyof Journal;

export interface Outage {
  readonly store: JobStore;
  /** A journal that is away with it. */
  journal(inner: Journal): Journal;
  /** `down`: calls fail at once and do nothing. `hung`: calls do nothing and wait until it is up again. `deaf`: calls happen, but their
   *  answers are lost. `slow`: they happen, and their answers come at the release. */
  mode: 'up' | 'down' | 'hung' | 'deaf' | 'slow';
  /** Only these calls are affected; undefined means all. */
  only: readonly Name[] | undefined;
  /** Told of each call before it is decided what becomes of it. */
  onCall: ((name: string) => void) | undefined;
  /** How often each call was made, failed ones too. */
  readonly counts: ReadonlyMap<Name, number>;
  /** Resolves when no call is under way in the real store, and nobody makes one right away. */
  quiet(): Promise<void>;
  /** Fails what hangs, answers what is slow. */
  release(): void;
}

export function createOutage(inner: JobStore): Outage {
  const counts = new Map<Name, number>();
  const underWay = new Set<Promise<unknown>>();
  let hanging: (() => void)[] = [];
  const away = (): CortexError => new CortexError('unavailable', 'the store is away (by the test)');
  const through = async (name: Name, call: () => Promise<unknown>): Promise<unknown> => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    outage.onCall?.(name);
    const mode = outage.only === undefined || outage.only.includes(name) ? outage.mode : 'up';
    if (mode === 'down') throw away();
    if (mode === 'hung') {
      await new Promise<void>((resolve) => hanging.push(resolve));
      throw away();
    }
    const real = call();
    underWay.add(real);
    const answer = await real.finally(() => underWay.delete(real));
    if (mode === 'deaf') throw away();
    if (mode === 'slow') await new Promise<void>((resolve) => hanging.push(resolve));
    return answer;
  };
  const behind = <T extends object>(real: T): T =>
    new Proxy(real, {
      get(target, name) {
        const method = target[name as keyof T] as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => through(name as Name, () => method.apply(target, args));
      },
    });
  const outage: Outage = {
    store: behind(inner),
    journal: behind,
    mode: 'up',
    only: undefined,
    onCall: undefined,
    counts,
    async quiet() {
      for (;;) {
        await settle();
        if (underWay.size === 0) return;
        await Promise.allSettled(underWay);
      }
    },
    release() {
      for (const go of hanging) go();
      hanging = [];
    },
  };
  return outage;
}
