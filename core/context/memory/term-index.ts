// Which of many short texts hold a term, and how often: postings in flat arrays, thirteen bytes each. A memory may have millions of terms
// (pairs of characters where a language has no blanks), and a Map of lists takes twenty times as much. Texts are numbered from 0 in the order
// in which they come; a term is known by 32 bits of hash, and two that share them count as one.

export interface TermIndex {
  /** Texts so far. */
  readonly size: number;
  /** Of its arrays. */
  readonly bytes: number;
  /** The next text: its terms, as often as they stand in it. */
  add(terms: readonly string[]): void;
  /** Calls with each text below `before` that holds the term, the newest first. */
  each(term: string, before: number, take: (text: number, count: number) => void): void;
  /** Terms of a text. */
  length(text: number): number;
  /** Terms of all texts below the number. */
  lengthBefore(before: number): number;
}

export function createTermIndex(): TermIndex {
  let heads = new Int32Array(1_024).fill(-1);
  let hashes = new Uint32Array(1_024);
  let texts = new Uint32Array(1_024);
  let nexts = new Int32Array(1_024);
  let counts = new Uint8Array(1_024);
  let used = 0;
  let sums = new Float64Array(256);
  let size = 0;

  function growPostings(): void {
    const wider = <T extends Uint32Array | Int32Array | Uint8Array>(made: T, old: T): T => {
      made.set(old);
      return made;
    };
    hashes = wider(new Uint32Array(used * 2), hashes);
    texts = wider(new Uint32Array(used * 2), texts);
    nexts = wider(new Int32Array(used * 2), nexts);
    counts = wider(new Uint8Array(used * 2), counts);
    heads = new Int32Array(used * 2).fill(-1);
    for (let i = 0; i < used; i++) chain(i);
  }

  /** Puts a posting before those of its bucket. */
  function chain(posting: number): void {
    const bucket = (hashes[posting] as number) % heads.length;
    nexts[posting] = heads[bucket] as number;
    heads[bucket] = posting;
  }

  return {
    get size() {
      return size;
    },
    get bytes() {
      return heads.byteLength + hashes.byteLength * 3 + counts.byteLength + sums.byteLength;
    },
    add(terms) {
      const first = used;
      for (const term of terms) {
        const hash = hashOf(term);
        let found = -1;
        // Those of this text stand at the front of their bucket.
        for (let i = heads[hash % heads.length] as number; i >= first; i = nexts[i] as number) {
          if (hashes[i] === hash) found = i;
        }
        if (found >= 0) {
          counts[found] = Math.min(255, (counts[found] as number) + 1);
          continue;
        }
        if (used === hashes.length) growPostings();
        hashes[used] = hash;
        texts[used] = size;
        counts[used] = 1;
        chain(used++);
      }
      if (size + 1 === sums.length) {
        const wider = new Float64Array(sums.length * 2);
        wider.set(sums);
        sums = wider;
      }
      sums[size + 1] = (sums[size] as number) + terms.length;
      size++;
    },
    each(term, before, take) {
      const hash = hashOf(term);
      for (let i = heads[hash % heads.length] as number; i >= 0; i = nexts[i] as number) {
        if (hashes[i] === hash && (texts[i] as number) < before) take(texts[i] as number, counts[i] as number);
      }
    },
    length: (text) => (sums[text + 1] as number) - (sums[text] as number),
    lengthBefore: (before) => sums[Math.min(before, size)] as number,
  };
}

/** FNV-1a over UTF-16 units. */
function hashOf(term: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < term.length; i++) hash = Math.imul(hash ^ term.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
