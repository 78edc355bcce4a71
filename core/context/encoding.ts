// How a text falls into the tokens of one of OpenAI's encodings, counted without making a list of them. The ranks are gpt-tokenizer's;
// how they are applied is written here, because that package's own counting needs time in the square of a word's length (a megabyte
// without a space would take hours), takes U+FEFF for white space where the reference does not, and keeps every word it has met.
//
// A text is split by a pattern into pieces, and within a piece the two neighbours whose union has the lowest rank are joined, the leftmost
// first, until no union is known. What stands for a special token in somebody's text, such as <|endoftext|>, is text like any other.

/** Encodings of models that answer today. */
export type EncodingName = 'o200k_base' | 'cl100k_base';

/** What each rank stands for: text, or bytes that are no text by themselves. */
export type RankTable = readonly (string | readonly number[] | undefined)[];

/** How much of a text stays within a limit. */
export interface Reach {
  /** Tokens up to there. */
  readonly tokens: number;
  /** UTF-16 units up to there; never within a code point. The text's length: all of it is within the limit. */
  readonly end: number;
}

export interface Encoding {
  readonly name: EncodingName;
  /** Exact, in time that grows with the length of the text and no faster than its product with its logarithm. */
  count(text: string): number;
  /** The longest beginning that the limit allows. Looks at no more of the text than that takes. */
  reach(text: string, limit: number): Reach;
}

// Unicode's White_Space, which is what the reference means by \s: JavaScript's has U+FEFF and lacks U+0085.
const space = String.raw`[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`;

// Letters, marks and digits that came with Unicode 17, which the reference, built with 16, takes for signs. When a runtime brings a newer
// Unicode, the test that walks through all code points tells what to add.
const younger = [
  String.raw`\u{88f}\u{c5c}\u{cdc}\u{1acf}-\u{1add}\u{1ae0}-\u{1aeb}\u{a7ce}-\u{a7cf}\u{a7d2}\u{a7d4}\u{a7f1}`,
  String.raw`\u{10940}-\u{10959}\u{10ec5}-\u{10ec7}\u{10efa}-\u{10efb}\u{11b60}-\u{11b67}\u{11db0}-\u{11ddb}`,
  String.raw`\u{11de0}-\u{11de9}\u{16ea0}-\u{16eb8}\u{16ebb}-\u{16ed3}\u{16ff2}-\u{16ff6}\u{187f8}-\u{187ff}`,
  String.raw`\u{18d09}-\u{18d1e}\u{18d80}-\u{18df2}\u{1e6c0}-\u{1e6de}\u{1e6e0}-\u{1e6f5}\u{1e6fe}-\u{1e6ff}`,
  String.raw`\u{2b73a}-\u{2b73f}\u{2cea2}-\u{2cead}\u{323b0}-\u{33479}`,
].join('');
const known = (classes: string): string => `[[${classes}]--[${younger}]]`;

const word = known(String.raw`\p{L}\p{N}`);
const letter = known(String.raw`\p{L}`);
const number = known(String.raw`\p{N}`);
const upper = known(String.raw`\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}`);
const lower = known(String.raw`\p{Ll}\p{Lm}\p{Lo}\p{M}`);
const lead = String.raw`[^\r\n${word}]?`;
const sign = `[^${space}${word}]`;
const contraction = "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])";
const blank = String.raw`${space}*[\r\n]+|${space}+(?![^${space}])|${space}+`;

// https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py
const patterns: Readonly<Record<EncodingName, string>> = {
  cl100k_base: String.raw`${contraction}|${lead}${letter}+|${number}{1,3}| ?${sign}+[\r\n]*|${blank}`,
  o200k_base: [
    `${lead}${upper}*${lower}+(?:${contraction})?|${lead}${upper}+${lower}*(?:${contraction})?`,
    String.raw`${number}{1,3}| ?${sign}+[\r\n\/]*|${blank}`,
  ].join('|'),
};

/** Builds the look-up of an encoding: about 100 ms and 20 MB, so once in a process. */
export function createEncoding(name: EncodingName, table: RankTable): Encoding {
  const ranks = new Map<string, number>();
  let longest = 0;
  for (const [rank, entry] of table.entries()) {
    if (entry === undefined) continue;
    const bytes = typeof entry === 'string' ? bytesOf(entry) : String.fromCharCode(...entry);
    ranks.set(bytes, rank);
    longest = Math.max(longest, bytes.length);
  }
  const merge = createMerge(ranks, longest);
  const pattern = new RegExp(patterns[name], 'vy');

  /** Where the piece ends that begins at `start`. The pattern leaves no character out. */
  const pieceEnd = (text: string, start: number): number => {
    pattern.lastIndex = start;
    return pattern.test(text) ? pattern.lastIndex : text.length;
  };
  // Names and words of one text come again and again.
  const met = new Map<string, number>();
  const countPiece = (piece: string): number => {
    const bytes = bytesOf(piece);
    if (ranks.has(bytes)) return 1;
    if (bytes.length > longestMet) return merge(bytes, Infinity).tokens;
    const known = met.get(bytes);
    if (known !== undefined) return known;
    const { tokens } = merge(bytes, Infinity);
    if (met.size >= mostMet) met.clear();
    met.set(bytes, tokens);
    return tokens;
  };
  return {
    name,
    count(text) {
      let tokens = 0;
      for (let start = 0, end = 0; start < text.length; start = end) {
        end = pieceEnd(text, start);
        tokens += countPiece(text.slice(start, end));
      }
      return tokens;
    },
    reach(text, limit) {
      // A token stands for at most `longest` bytes, so what lies behind these characters is out of reach.
      const within = limit * longest < text.length ? text.slice(0, Math.max(0, limit * longest)) : text;
      let tokens = 0;
      for (let start = 0, end = 0; start < within.length; start = end) {
        end = pieceEnd(within, start);
        const bytes = bytesOf(within.slice(start, end));
        const part = ranks.has(bytes) ? { tokens: 1, bytes: bytes.length } : merge(bytes, limit - tokens);
        if (tokens + part.tokens <= limit && part.bytes === bytes.length) tokens += part.tokens;
        else if (tokens >= limit || part.tokens > limit - tokens) return { tokens, end: start };
        else return { tokens: tokens + part.tokens, end: start + unitsOf(within.slice(start, end), part.bytes) };
      }
      return { tokens, end: within.length };
    },
  };
}

interface Merged {
  /** At most the limit. */
  readonly tokens: number;
  /** Bytes that these stand for. */
  readonly bytes: number;
}

/**
 * The joining of one piece: a list of parts, and a heap of their unions by rank and place. The first k parts of the outcome are also the
 * outcome for the bytes of these alone, because nothing was joined across their end; so a limit costs nothing but a walk.
 */
function createMerge(ranks: ReadonlyMap<string, number>, longest: number): (bytes: string, limit: number) => Merged {
  // Most joins are asked for two single bytes.
  const pairs = new Int32Array(65_536).fill(-1);
  for (const [bytes, rank] of ranks)
    if (bytes.length === 2) pairs[bytes.charCodeAt(0) * 256 + bytes.charCodeAt(1)] = rank;
  const scratch = linksFor(small);

  return (bytes, limit) => {
    const n = bytes.length;
    // What is large gets lists of its own, which are forgotten with it.
    const { next, before, joined } = n < small ? scratch : linksFor(n + 1);
    const heap: number[] = [];
    for (let i = 0; i <= n; i++) {
      next[i] = i + 1;
      before[i] = i - 1;
      const rank = i + 1 < n ? (pairs[bytes.charCodeAt(i) * 256 + bytes.charCodeAt(i + 1)] ?? -1) : -1;
      joined[i] = rank;
      if (rank >= 0) heap.push(rank * place + i);
    }
    heapify(heap);
    let parts = n;
    const look = (at: number): void => {
      const middle = next[at] ?? n;
      const end = middle < n ? (next[middle] ?? n) : n;
      const known = middle < n && end - at <= longest ? (ranks.get(bytes.slice(at, end)) ?? -1) : -1;
      joined[at] = known;
      if (known >= 0) push(heap, known * place + at);
    };
    while (heap.length > 0) {
      const least = pop(heap);
      const at = least % place;
      if (joined[at] !== Math.floor(least / place)) continue; // joined otherwise since
      const middle = next[at] ?? n;
      const end = next[middle] ?? n;
      next[at] = end;
      before[end] = at;
      joined[middle] = -1;
      parts--;
      look(at);
      if (at > 0) look(before[at] ?? 0);
    }
    if (parts <= limit) return { tokens: parts, bytes: n };
    let at = 0;
    for (let k = 0; k < limit; k++) at = next[at] ?? n;
    return { tokens: limit, bytes: at };
  };
}

/** Pieces whose count is kept, and their bytes at most: a megabyte or two. */
const mostMet = 10_000;
const longestMet = 48;

/** Bytes of a piece below which no list is made for it. */
const small = 1_024;

/** For the part that begins at a byte: where the next begins, where the one before does, and the rank of its union with the next. */
function linksFor(bytes: number): Record<'next' | 'before' | 'joined', Int32Array> {
  return { next: new Int32Array(bytes), before: new Int32Array(bytes), joined: new Int32Array(bytes) };
}

/** A place in a piece and a rank are one number in the heap: ranks stay below 2^18. */
const place = 2 ** 32;

function heapify(heap: number[]): void {
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i);
}

function push(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent] ?? 0;
    if (above <= value) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = value;
}

function pop(heap: number[]): number {
  const least = heap[0] ?? 0;
  const last = heap.pop() ?? 0;
  if (heap.length > 0) {
    heap[0] = last;
    sink(heap, 0);
  }
  return least;
}

function sink(heap: number[], from: number): void {
  const value = heap[from] ?? 0;
  let i = from;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
    const below = heap[child] ?? 0;
    if (below >= value) break;
    heap[i] = below;
    i = child;
  }
  heap[i] = value;
}

/** UTF-8 with one character for each byte, which a Map finds faster than an array. A lone surrogate is U+FFFD, as TextEncoder has it. */
function bytesOf(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return encode(text, i);
  return text;
}

function encode(text: string, from: number): string {
  let bytes = text.slice(0, from);
  for (let i = from; i < text.length; i++) {
    let code = text.codePointAt(i) ?? 0;
    if (code > 0xffff) i++;
    else if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes += String.fromCharCode(code);
    else if (code < 0x800) bytes += String.fromCharCode(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000)
      bytes += String.fromCharCode(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else {
      const head = String.fromCharCode(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63));
      bytes += head + String.fromCharCode(0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
  }
  return bytes;
}

/** UTF-16 units of the whole code points within so many bytes. */
function unitsOf(text: string, bytes: number): number {
  let i = 0;
  for (let left = bytes; i < text.length; ) {
    const code = text.codePointAt(i) ?? 0;
    left -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (left < 0) break;
    i += code > 0xffff ? 2 : 1;
  }
  return i;
}
