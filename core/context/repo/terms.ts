// Numbers for terms while an index is made. Words come again and again, so a word is split once and its terms' numbers are kept.
import { eachWord, termsOf } from './words.ts';

/** How often each term stands in one text. */
export interface Counted {
  readonly ids: Uint32Array;
  /** Up to 255. */
  readonly counts: Uint8Array;
  /** Of all terms together, what BM25 calls the length. */
  readonly length: number;
}

export interface TermTable {
  /** By number. The given ones keep theirs. */
  readonly terms: readonly string[];
  count(text: string): Counted;
  /** The number of the whole word, without its parts; undefined when it says nothing. */
  whole(word: string): number | undefined;
}

/** A table that begins with the terms of an index. */
export function createTermTable(known: readonly string[]): TermTable {
  const terms = [...known];
  const numbers = new Map<string, number>();
  for (const [id, term] of known.entries()) numbers.set(term, id);
  const words = new Map<string, readonly number[]>();
  let tally = new Uint32Array(Math.max(1024, terms.length * 2));

  function number(term: string): number {
    let id = numbers.get(term);
    if (id === undefined) {
      id = terms.length;
      terms.push(term);
      numbers.set(term, id);
    }
    return id;
  }

  function idsOf(word: string): readonly number[] {
    let ids = words.get(word);
    if (ids === undefined) {
      ids = termsOf(word).map(number);
      words.set(word, ids);
      if (terms.length > tally.length) {
        const larger = new Uint32Array(terms.length * 2);
        larger.set(tally);
        tally = larger;
      }
    }
    return ids;
  }

  return {
    terms,
    count(text) {
      const touched: number[] = [];
      let length = 0;
      eachWord(text, (word) => {
        for (const id of idsOf(word)) {
          const before = tally[id] as number;
          if (before === 0) touched.push(id);
          tally[id] = before + 1;
          length++;
        }
      });
      const ids = Uint32Array.from(touched);
      const counts = new Uint8Array(ids.length);
      for (const [i, id] of touched.entries()) {
        counts[i] = Math.min(255, tally[id] as number);
        tally[id] = 0;
      }
      return { ids, counts, length };
    },
    whole: (word) => {
      const [first] = termsOf(word);
      return first === undefined ? undefined : number(first);
    },
  };
}
