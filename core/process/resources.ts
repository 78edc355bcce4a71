// What a process holds: acquired in order, released in reverse. Each release is bounded in time, and one that fails or hangs
// does not keep the others from theirs. Not a container for dependencies: values are passed on by hand.
import { CortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';

export interface Resources {
  /**
   * Acquires one thing and notes how to release it. What arrives after `releaseAll` began is released at once and refused
   * with CortexError `canceled`.
   */
  use<T>(
    name: string,
    acquire: () => Promise<T> | T,
    release: (value: T) => unknown,
    options?: { readonly timeoutMs?: number },
  ): Promise<T>;
  /** Notes something to do at the end, in its place in the order. */
  defer(name: string, release: () => unknown, options?: { readonly timeoutMs?: number }): void;
  /** Releases everything in reverse, one by one. Answers the names of what failed or took too long. Idempotent. */
  releaseAll(): Promise<readonly string[]>;
}

export interface ResourcesOptions {
  readonly log: Log;
  /** Milliseconds that one release may take. Default 5,000. */
  readonly timeoutMs?: number;
}

interface Held {
  readonly name: string;
  readonly timeoutMs: number;
  readonly release: () => unknown;
}

/** An empty stack of resources. */
export function createResources({ log, timeoutMs = 5_000 }: ResourcesOptions): Resources {
  const held: Held[] = [];
  let releasing: Promise<readonly string[]> | undefined;

  const releaseOne = async ({ name, timeoutMs: limit, release }: Held): Promise<boolean> => {
    const began = performance.now();
    try {
      await within(limit, release);
      log.debug('released', { resource: name, ms: Math.round(performance.now() - began) });
      return true;
    } catch (error) {
      log.error('could not release', { resource: name, error });
      return false;
    }
  };
  const releaseAll = async (): Promise<readonly string[]> => {
    const failed: string[] = [];
    for (let next = held.pop(); next !== undefined; next = held.pop()) {
      if (!(await releaseOne(next))) failed.push(next.name);
    }
    return failed;
  };

  return {
    async use(name, acquire, release, options = {}) {
      if (releasing !== undefined)
        throw new CortexError('canceled', `${name} was not acquired: the process is stopping`);
      const value = await acquire();
      const entry: Held = { name, timeoutMs: options.timeoutMs ?? timeoutMs, release: () => release(value) };
      if (releasing === undefined) {
        held.push(entry);
        return value;
      }
      await releaseOne(entry);
      throw new CortexError('canceled', `${name} was released again: the process is stopping`);
    },
    defer(name, release, options = {}) {
      if (releasing !== undefined) throw new CortexError('canceled', `${name} came too late: the process is stopping`);
      held.push({ name, timeoutMs: options.timeoutMs ?? timeoutMs, release });
    },
    releaseAll() {
      releasing ??= releaseAll();
      return releasing;
    },
  };
}

/** Runs something that must end within `ms`. Throws CortexError `deadline_exceeded`; the thing itself goes on unheard. */
export async function within<T>(ms: number, run: () => Promise<T> | T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CortexError('deadline_exceeded', `took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([Promise.resolve(run()), late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
