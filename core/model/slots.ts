// How many requests a model gets at once. The others wait in the order in which they came; who is told to stop leaves the line.
import { type Model, throwIfStopped } from './model.ts';

export function withSlots(model: Model, concurrency: number): Model {
  let free = concurrency;
  const line = new Set<() => void>();

  /** Waits for a slot. Throws what the signal says, and then holds none. */
  const take = async (signal: AbortSignal): Promise<void> => {
    throwIfStopped(signal);
    if (free > 0) {
      free--;
      return;
    }
    const turn = Promise.withResolvers<boolean>();
    const mine = (): void => turn.resolve(true);
    const leave = (): void => {
      // No longer in line: its turn came in the same moment, and the slot is given back below.
      if (line.delete(mine)) turn.resolve(false);
    };
    line.add(mine);
    signal.addEventListener('abort', leave, { once: true });
    const hasSlot = await turn.promise;
    signal.removeEventListener('abort', leave);
    if (!signal.aborted) return;
    if (hasSlot) give();
    throwIfStopped(signal);
  };
  const give = (): void => {
    const [next] = line;
    if (next === undefined) {
      free++;
      return;
    }
    line.delete(next);
    next(); // the slot changes hands and is never free in between
  };

  return {
    name: model.name,
    async *stream(request) {
      await take(request.signal);
      try {
        yield* model.stream(request);
      } finally {
        give();
      }
    },
  };
}
