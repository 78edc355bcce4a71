// Two stores in step: each operation is asked of both, and both must answer the same. What only one of them can know (ids of stream
// entries, how long a key of Redis still lives) is left out.
import { isDeepStrictEqual } from 'node:util';
import { CortexError } from '#core/errors.ts';
import { createMemoryStore } from '#core/jobs/memory-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { MakeStore } from './rig.ts';

/** A store that answers what `first` answers, as long as `second` agrees. */
export function inStep(first: JobStore, second: JobStore): JobStore {
  return new Proxy(first, {
    get(target, name, receiver): unknown {
      const [one, two]: unknown[] = [Reflect.get(target, name, receiver), Reflect.get(second, name)];
      if (typeof one !== 'function' || typeof two !== 'function') return one;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        const answers = await Promise.allSettled([
          Reflect.apply(one, target, args) as Promise<unknown>,
          Reflect.apply(two, second, args) as Promise<unknown>,
        ]);
        const [a, b] = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : codeOf(answer.reason)));
        const [x, y] = [comparable(String(name), a), comparable(String(name), b)];
        if (!isDeepStrictEqual(x, y)) {
          const shown = (value: unknown): string => JSON.stringify(value, null, 1);
          throw new Error(`${String(name)}(${shown(args)})\nanswers ${shown(x)}\nand ${shown(y)}`);
        }
        if (answers[0].status === 'rejected') throw answers[0].reason;
        return a;
      };
    },
  });
}

/** A store, and the twin beside it; the books and the keys are those of the store. */
export function withTwin(make: MakeStore): MakeStore {
  return async (options) => {
    const driver = await make(options);
    let randoms = 0;
    const twin = createMemoryStore({ now: options.now, random: () => (++randoms).toString(16).padStart(16, '0') });
    const store = inStep(driver.store, twin);
    const { values } = twin.memory;
    return {
      ...driver,
      store,
      other: store,
      async write(tenant, key, value) {
        await driver.write(tenant, key, value);
        if (value === undefined) values.delete(key);
        else values.set(key, { value, expiresAt: Number.POSITIVE_INFINITY });
      },
    };
  };
}

function codeOf(reason: unknown): unknown {
  if (reason instanceof CortexError) return { code: reason.code, field: reason.field };
  throw reason;
}

function comparable(name: string, answer: unknown): unknown {
  if (name === 'events')
    return (answer as { id?: string; prev?: string }[]).map(({ id: _, prev: __, ...event }) => event);
  if (name === 'standing') {
    const { at, ...rest } = answer as { readonly at: string };
    return { ...rest, empty: at === '' };
  }
  if (name === 'register') return { ...(answer as object), aliveMs: 0 };
  if (name === 'depths') {
    const text = (depth: unknown): string => JSON.stringify(depth);
    return (answer as unknown[]).toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
  }
  return answer;
}
