// What was used last, within a bound on the weight of all together.

export interface Lru<K, V> {
  get(key: K): V | undefined;
  /** One that is heavier than the bound is not kept. */
  set(key: K, value: V, weight: number): void;
  delete(key: K): void;
  readonly weight: number;
}

export function createLru<K, V>(maxWeight: number): Lru<K, V> {
  const kept = new Map<K, { readonly value: V; readonly weight: number }>();
  let total = 0;
  const drop = (key: K): void => {
    total -= kept.get(key)?.weight ?? 0;
    kept.delete(key);
  };
  return {
    get(key) {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      // Set anew it is the youngest: a Map walks in the order of its keys' arrival.
      kept.delete(key);
      kept.set(key, found);
      return found.value;
    },
    set(key, value, weight) {
      drop(key);
      if (weight > maxWeight) return;
      kept.set(key, { value, weight });
      total += weight;
      for (const eldest of kept.keys()) {
        if (total <= maxWeight) break;
        drop(eldest);
      }
    },
    delete: drop,
    get weight() {
      return total;
    },
  };
}
