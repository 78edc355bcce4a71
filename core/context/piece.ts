// A piece of something that was found for a request: part of a file, a fact, an old message. In a window it is one message, whose first line
// says where it is from; what follows is the piece byte for byte.
import type { ModelMessage } from '#core/model/model.ts';
import { cutMark } from './cut.ts';
import type { Candidate } from './fill.ts';

/** Whole lines, counted from 1. */
export interface Lines {
  readonly first: number;
  readonly last: number;
}

export interface Piece {
  /** A path, or whatever names the place. */
  readonly source: string;
  /** undefined: not a matter of lines, and cut like prose. */
  readonly lines?: Lines | undefined;
  /** The higher the better; compared with those of other pieces alone. */
  readonly score: number;
  /** Why it was found, for people. */
  readonly reason: string;
  /** What it stands inside of, for the model: the signatures around a part of a file. One line. */
  readonly within?: string | undefined;
  readonly text: string;
  /** Comes again with the next request, as a repository's overview does; stands before the history, so that the prompt begins the same. */
  readonly lasting?: boolean | undefined;
  /** It repeats what stands in the history from this place on, and is left out where that is in the window whole. */
  readonly repeats?: number | undefined;
}

/** A piece and its place among those that were given. */
export type Given = Piece & { readonly index: number };

/** The better first; equal ones in an order that does not depend on how they came. Lasting ones are chosen before all others. */
export function byChoice(a: Piece, b: Piece): number {
  return Number(b.lasting ?? false) - Number(a.lasting ?? false) || b.score - a.score || bySource(a, b);
}

/** As a reader would look through the sources. */
export function bySource(a: Piece, b: Piece): number {
  const lines = (a.lines?.first ?? 0) - (b.lines?.first ?? 0) || (a.lines?.last ?? 0) - (b.lines?.last ?? 0);
  return (
    byText(a.source, b.source) || lines || byText(a.text, b.text) || b.score - a.score || byText(a.reason, b.reason)
  );
}

/** Each piece once, with the highest of its scores, and the ones that are left over. */
export function uniquePieces(pieces: readonly Piece[]): {
  readonly unique: readonly Given[];
  readonly doubled: readonly Given[];
} {
  const seen = new Map<string, string[]>();
  const unique: Given[] = [];
  const doubled: Given[] = [];
  for (const piece of pieces.map((one, index): Given => ({ ...one, index })).toSorted(byChoice)) {
    // Texts are compared where all else is the same, which is seldom: a key with all of a text takes as long as the choice.
    const { source, lines, text } = piece;
    const key = `${lines?.first}:${lines?.last}:${text.length}:${source}`;
    const same = seen.get(key);
    if (same?.includes(text) === true) {
      doubled.push(piece);
      continue;
    }
    unique.push(piece);
    if (same === undefined) seen.set(key, [text]);
    else same.push(text);
  }
  return { unique, doubled };
}

/** What a piece costs and how it may be cut: at a line's end, and within a line if nothing else would use the budget. */
export function pieceCandidate(piece: Given, role: 'system' | 'user'): Candidate<Given> {
  const text = piece.text.toWellFormed();
  const message = (kept: string, mark: string): ModelMessage => ({
    role,
    content: `${headOf(piece, linesOf(piece, kept))}\n${kept}${mark}`,
  });
  return {
    from: piece,
    messages: [message(text, '')],
    text,
    passable: true,
    edges: piece.lines === undefined ? ['line', 'sentence', 'word'] : ['line'],
    cut: (kept) => [message(kept, `\n${cutMark}`)],
  };
}

/** The lines of what is kept of a piece. */
export function linesOf({ lines, text }: Piece, kept: string): Lines | undefined {
  if (lines === undefined || kept.length >= text.length) return lines;
  return { first: lines.first, last: Math.min(lines.last, lines.first + kept.split('\n').length - 1) };
}

function headOf({ source, within }: Piece, lines: Lines | undefined): string {
  const place = lines === undefined ? source : `${source}:${lines.first}-${lines.last}`;
  return within === undefined ? place : `${place} in ${within}`;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
