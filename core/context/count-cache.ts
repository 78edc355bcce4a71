// Counts of texts that were counted before: a conversation comes back with every turn, and only its end is new. Kept under the text itself,
// because a short digest that two texts share would be a wrong count; what was used last stays, within a bound on the bytes of all texts.
import type { Encoding, EncodingName } from './encoding.ts';

export interface CountCache {
  count(encoding: Encoding, text: string): number;
  /** Of all texts that are kept. */
  readonly bytes: number;
}

/** Below this a look-up costs what counting costs. */
const shortest = 32;

/** `maxBytes`: two for each character of a text, and nothing for the rest. */
export function createCountCache(maxBytes = 16_000_000): CountCache {
  const kept = new Map<EncodingName, Map<string, number>>();
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    count(encoding, text) {
      if (text.length < shortest || text.length * 2 > maxBytes / 8) return encoding.count(text);
      const counts = kept.get(encoding.name) ?? new Map<string, number>();
      kept.set(encoding.name, counts);
      const known = counts.get(text);
      const tokens = known ?? encoding.count(text);
      // Set anew it is the youngest: a Map walks in the order of its keys' arrival.
      if (known === undefined) bytes += text.length * 2;
      else counts.delete(text);
      counts.set(text, tokens);
      while (bytes > maxBytes) {
        const eldest = largestOf(kept)?.keys().next().value;
        if (eldest === undefined) break;
        largestOf(kept)?.delete(eldest);
        bytes -= eldest.length * 2;
      }
      return tokens;
    },
  };
}

/** Both encodings share the bound; the one with more texts gives one up. */
function largestOf(kept: ReadonlyMap<EncodingName, Map<string, number>>): Map<string, number> | undefined {
  return [...kept.values()].toSorted((a, b) => b.size - a.size)[0];
}
