// Cuts a file into chunks of whole lines: each line in exactly one, cuts where the syntax has its seams. The outline is a hint about
// good places and nothing more, so a wrong one can make a chunk ugly but never lose a byte.
import { fingerprint, lineStarts, type Skipped, skipReason } from './lines.ts';
import { type Defined, type DefinitionKind, headings, noOutline, type Outliner } from './outline.ts';
import { languageOf } from './languages.ts';

/** A chunk stays below both, unless one line is longer. */
export const MAX_LINES = 120;
export const MAX_BYTES = 6_000;

/** Lines below which a chunk is not cut for the sake of a seam. */
const MIN_LINES = 30;

/** Signatures around a chunk, and characters of each. */
const MAX_SCOPES = 4;
const MAX_SIGNATURE = 160;

export interface Definition {
  readonly name: string;
  readonly kind: DefinitionKind;
  /** From 1. */
  readonly line: number;
}

export interface Chunk {
  /** First and last line, from 1. */
  readonly from: number;
  readonly to: number;
  /** Its bytes are `file.subarray(start, end)`. */
  readonly start: number;
  readonly end: number;
  /** First lines of the definitions that the chunk begins inside, the outermost first. */
  readonly scopes: readonly string[];
  /** What begins in it. */
  readonly definitions: readonly Definition[];
}

export interface ChunkedFile {
  readonly language: string;
  readonly bytes: number;
  /** Of the bytes, see lines.ts. */
  readonly fingerprint: string;
  readonly imports: readonly string[];
  /** None when the file is empty or left out. */
  readonly chunks: readonly Chunk[];
  readonly skipped: Skipped | undefined;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The text of a slice of a file; bytes that are not UTF-8 become U+FFFD. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** Never throws: what cannot be parsed is cut by lines, and what cannot be read is left out with a reason. */
export function chunkFile(path: string, bytes: Uint8Array, outliner: Outliner): ChunkedFile {
  const language = languageOf(path);
  const starts = lineStarts(bytes);
  const skipped = skipReason(bytes, starts);
  const file = { language, bytes: bytes.length, fingerprint: fingerprint(bytes), skipped };
  if (skipped !== undefined || bytes.length === 0) return { ...file, imports: [], chunks: [] };
  const text = textOf(bytes);
  const lines = text.split('\n');
  const outline = language === 'markdown' ? headings(lines) : (outliner(language, text) ?? noOutline);
  return { ...file, imports: outline.imports, chunks: cut(starts, lines, outline.definitions) };
}

function cut(starts: Uint32Array, lines: readonly string[], definitions: readonly Defined[]): Chunk[] {
  const last = starts.length - 2;
  const cost = seams(lines, definitions, last + 1);
  const chunks: Chunk[] = [];
  let next = 0;
  for (let from = 0; from <= last; ) {
    const to = lastLine(starts, cost, from, last);
    const inside: Definition[] = [];
    for (let d = definitions[next]; d !== undefined && d.first <= to; d = definitions[++next]) {
      inside.push({ name: d.name, kind: d.kind, line: d.first + 1 });
    }
    const start = starts[from] as number;
    const end = starts[to + 1] as number;
    chunks.push({
      from: from + 1,
      to: to + 1,
      start,
      end,
      scopes: scopesAt(lines, definitions, from),
      definitions: inside,
    });
    from = to + 1;
  }
  return chunks;
}

/** What it costs to begin a chunk at each line: definitions cut in two, then a line that is not after a blank one. */
function seams(lines: readonly string[], definitions: readonly Defined[], count: number): Uint16Array {
  const change = new Int32Array(count + 1);
  for (const { first, last } of definitions) {
    const begin = withLead(lines, first);
    // A one-line definition is inside nothing but its own comment.
    if (begin + 1 <= last && begin + 1 < count) {
      change[begin + 1] = (change[begin + 1] as number) + 1;
      const after = Math.min(last, count - 1) + 1;
      change[after] = (change[after] as number) - 1;
    }
  }
  const cost = new Uint16Array(count);
  let depth = 0;
  for (let i = 0; i < count; i++) {
    depth += change[i] as number;
    cost[i] = Math.min(depth, 1000) * 4 + (i > 0 && isBlank(lines[i - 1]) ? 0 : 1);
  }
  return cost;
}

/** The first line of the comment, decorators or attributes right above a definition: they belong to it. */
function withLead(lines: readonly string[], first: number): number {
  let at = first;
  while (at > 0 && first - at < 40 && /^\s*(\/\/|\/\*|\*|#|@|--|\[)/.test(lines[at - 1] ?? '')) at--;
  return at;
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || line.trim() === '';
}

function lastLine(starts: Uint32Array, cost: Uint16Array, from: number, last: number): number {
  const begin = starts[from] as number;
  let end = from;
  while (end < last && end - from + 1 < MAX_LINES && (starts[end + 2] as number) - begin <= MAX_BYTES) end++;
  if (end === last) return last;
  // The cheapest place to begin the next chunk, the later the better.
  let best = end;
  for (let to = end; to >= Math.min(end, from + MIN_LINES - 1); to--) {
    if ((cost[to + 1] as number) < (cost[best + 1] as number)) best = to;
  }
  return best;
}

function scopesAt(lines: readonly string[], definitions: readonly Defined[], at: number): string[] {
  const scopes: string[] = [];
  for (const { first, last } of definitions) {
    if (first >= at) break;
    if (last >= at) scopes.push((lines[first] ?? '').trim().slice(0, MAX_SIGNATURE));
  }
  return scopes.slice(-MAX_SCOPES);
}

/** What stands before a chunk when a model reads it: path, lines, and the definitions around it. */
export function headerOf(path: string, chunk: Pick<Chunk, 'from' | 'to' | 'scopes'>): string {
  return [`${path}:${chunk.from}-${chunk.to}`, ...chunk.scopes].join('\n');
}
