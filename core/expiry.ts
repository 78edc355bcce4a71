// One timer for many things that may all take equally long and mostly end in order. A timer for each costs 3 us, a third of a
// Redis call.
import { type Clock, systemClock } from './system.ts';

export interface Expiry<T> {
  /** From now on the item has its time. */
  add(item: T): void;
  /** Items that have not been seen to be done. */
  readonly size: number;
}

/**
 * Calls `expire` for each item that is not `done` after `ms`, or up to a fifth later. `done` is asked again and again: it must be
 * cheap.
 */
export function createExpiry<T>(
  ms: number,
  done: (item: T) => boolean,
  expire: (item: T) => void,
  clock: Clock = systemClock,
): Expiry<T> {
  const step = Math.max(1, Math.ceil(ms / 10));
  let items: { readonly item: T; readonly due: number }[] = [];
  let head = 0;
  let tick = 0;
  let armed = false;

  const trim = (): void => {
    for (let first = items[head]; first !== undefined && done(first.item); first = items[head]) head++;
    if (head === items.length) {
      items = [];
      head = 0;
    } else if (head > 1_000) {
      items = items.slice(head);
      head = 0;
    }
  };
  const arm = (): void => {
    armed = true;
    clock.after(step, () => {
      tick++;
      trim();
      for (let first = items[head]; first !== undefined && first.due <= tick; first = items[head]) {
        head++;
        if (!done(first.item)) expire(first.item);
      }
      trim();
      armed = false;
      if (items.length > 0) arm();
    });
  };
  return {
    get size() {
      return items.length - head;
    },
    add(item) {
      trim();
      items.push({ item, due: tick + 11 }); // ten steps, and what is left of this one
      if (!armed) arm();
    },
  };
}
