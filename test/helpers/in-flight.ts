// Counts the calls of an object that are under way, so that a fake clock can stand still while something real answers.
import { settle } from './clock.ts';

export interface InFlight {
  /** The same object, with its calls counted. */
  track<T extends object>(target: T): T;
  /** Resolves when no call is under way and nobody makes one right away. */
  quiet(): Promise<void>;
}

export function createInFlight(): InFlight {
  const underWay = new Set<Promise<unknown>>();
  return {
    track: (target) =>
      new Proxy(target, {
        get(its, name, receiver): unknown {
          const member: unknown = Reflect.get(its, name, receiver);
          if (typeof member !== 'function') return member;
          return (...args: unknown[]): unknown => {
            const answer: unknown = Reflect.apply(member, its, args);
            if (answer instanceof Promise) {
              underWay.add(answer);
              const over = (): void => void underWay.delete(answer);
              answer.then(over, over);
            }
            return answer;
          };
        },
      }),
    async quiet() {
      for (;;) {
        await settle();
        if (underWay.size === 0) return;
        await Promise.allSettled(underWay);
      }
    },
  };
}
