// The beginning of a text that is too long: as much as fits, up to an edge that a reader would choose, and a line that says it was cut.
import type { Size, Tokenizer } from './tokens.ts';

/** Where a text may be cut, the best first. `character` is never within a code point. */
export type Edge = 'line' | 'sentence' | 'word' | 'character';

/** Stands behind what was cut, on a line of its own. */
export const cutMark = '[cut]';

export interface Cut {
  /** What is kept of the text, as it is, without the mark. */
  readonly kept: string;
  readonly edge: Edge;
  /** The window with it. */
  readonly size: Size;
}

/** What of a window's budget must be used for us to be content. */
export const enough = 0.97;

export interface CutRequest {
  readonly text: string;
  /** In order of preference. */
  readonly edges: readonly Edge[];
  readonly limit: number;
  readonly tokenizer: Tokenizer;
  /** The whole window with so much of the text in it, and the mark. */
  readonly measure: (kept: string) => Size;
}

/**
 * The cut at the first of the edges that uses enough of the limit, else at the one that uses most; undefined: not even the least of it fits.
 * Whatever the text is, what comes back has been measured to be within the limit.
 */
export function cutTo(request: CutRequest): Cut | undefined {
  const { edges, limit, tokenizer, measure } = request;
  const without = measure('');
  if (tokenizer.tokens(without) >= limit) return undefined;
  const used = (cut: Cut | undefined): number => (cut === undefined ? 0 : tokenizer.tokens(cut.size));
  const within = tokenizer.reach(request.text, without, limit);
  let best: Cut | undefined;
  for (const edge of edges) {
    const cut = cutAt(edge, within, without, request);
    if (used(cut) > used(best)) best = cut;
    if (used(best) >= limit * enough) break;
  }
  return best;
}

/** A guess that is too large is too large by a few tokens, where the cut parts what was one; so a handful of attempts is plenty. */
const attempts = 8;

function cutAt(edge: Edge, within: number, without: Size, request: CutRequest): Cut | undefined {
  const { text, limit, tokenizer, measure } = request;
  let aim = limit;
  for (let i = 0, reach = within; i < attempts; i++, reach = tokenizer.reach(text, without, aim)) {
    const end = lastEdge(text, Math.min(reach, text.length - 1), edge);
    if (end <= 0) return undefined;
    const kept = text.slice(0, end);
    const size = measure(kept);
    const over = tokenizer.tokens(size) - limit;
    if (over <= 0) return { kept, edge, size };
    aim -= over;
  }
  return undefined;
}

/** How far back a sentence or a word is looked for. */
const lookBack = 4_000;

/** Where the last line, sentence, word or character that ends at `end` or before it ends; 0: there is none. */
function lastEdge(text: string, end: number, edge: Edge): number {
  if (end <= 0) return 0;
  if (edge === 'line') return Math.max(0, text.lastIndexOf('\n', end));
  if (edge === 'character') return isLow(text, end) && isHigh(text, end - 1) ? end - 1 : end;
  const isEdge = edge === 'sentence' ? endsSentence : endsWord;
  const first = Math.max(0, end - lookBack);
  for (let at = end; at > first; at--) if (isEdge(text, at)) return at;
  return 0;
}

const endsWord = (text: string, at: number): boolean => /\s/.test(text[at] ?? '') && !/\s/.test(text[at - 1] ?? '');

function endsSentence(text: string, at: number): boolean {
  const last = text[at - 1] ?? '';
  return /[。！？]/.test(last) || (/[.!?…]/.test(last) && /\s/.test(text[at] ?? ''));
}

const isHigh = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800;
const isLow = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00;
