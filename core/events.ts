// A typed emitter in thirty lines: engine, host and supervisor tell what they did, tests wait for it instead of for time.

export type Listener<T> = (event: T) => void;

export interface Events<T extends { readonly type: string }> {
  emit(event: T): void;
  /** Calls back for every event; the answer stops it. */
  on(listener: Listener<T>): () => void;
  /** Resolves with the next event of that type that `match` accepts; rejects when the signal aborts. */
  next<K extends T['type']>(
    type: K,
    options?: { match?: (event: Extract<T, { type: K }>) => boolean; signal?: AbortSignal },
  ): Promise<Extract<T, { type: K }>>;
}

/** Listeners run synchronously, in order of subscription, on a copy of the list. */
export function createEvents<T extends { readonly type: string }>(): Events<T> {
  const listeners = new Set<Listener<T>>();
  const on = (listener: Listener<T>): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    on,
    emit(event) {
      if (listeners.size === 0) return;
      for (const listener of Array.from(listeners)) listener(event);
    },
    next(type, options = {}) {
      return new Promise((resolve, reject) => {
        const stop = on((event) => {
          if (event.type !== type) return;
          const hit = event as Extract<T, { type: typeof type }>;
          if (options.match !== undefined && !options.match(hit)) return;
          stop();
          resolve(hit);
        });
        options.signal?.addEventListener('abort', () => {
          stop();
          reject(options.signal?.reason ?? new Error('aborted'));
        });
      });
    },
  };
}
