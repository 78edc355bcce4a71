// What of a history and of the pieces goes into the room of a window. Both sides come in order of preference, and are chosen in it.
//
//   1  each side takes what fits into its share
//   2  what is left goes to the next one of either side that fits, the side that is further below its share first
//   3  if nothing fits as a whole, the next one is cut at an edge that a reader would choose, and what can be neither taken nor cut is
//      passed by: a piece with a long first line, a tool call whose input alone is too large
//   4  if that uses less than enough, the last cut is made anew at whatever character uses most
import type { ModelMessage } from '#core/model/model.ts';
import { type Cut, cutTo, type Edge, enough } from './cut.ts';
import { add, nothing, type Size, subtract, type Tokenizer } from './tokens.ts';

/** Messages that go in together or not at all, and how they are cut. */
export interface Candidate<T> {
  readonly from: T;
  readonly messages: readonly ModelMessage[];
  /** The contents that may be cut. */
  readonly text: string;
  readonly edges: readonly Edge[];
  /** If it can be neither taken nor cut the next one may come in its stead. */
  readonly passable: boolean;
  readonly cut: (kept: string) => readonly ModelMessage[];
}

export interface Chosen<T> {
  readonly from: T;
  readonly messages: readonly ModelMessage[];
  /** undefined: whole. */
  readonly cut: Pick<Cut, 'edge' | 'kept'> | undefined;
}

export interface FillRequest<H, P> {
  /** Newest first. */
  readonly history: readonly Candidate<H>[];
  /** Best first. */
  readonly pieces: readonly Candidate<P>[];
  /** What is in the window already. */
  readonly fixed: Size;
  readonly limit: number;
  /** From 0 to 1. */
  readonly historyShare: number;
  readonly tokenizer: Tokenizer;
}

/** In the order of their choice. */
export interface Filled<H, P> {
  readonly history: readonly Chosen<H>[];
  readonly pieces: readonly Chosen<P>[];
}

/** What is looked at behind the first one that does not fit. */
const further = 16;

/** Chooses; all that is chosen and what is fixed stays within the limit. */
export function fill<H, P>({ fixed, limit, historyShare, tokenizer, ...sides }: FillRequest<H, P>): Filled<H, P> {
  const room = Math.max(0, limit - tokenizer.tokens(fixed));
  const share = Math.floor(room * historyShare);
  const history = createSide(sides.history, share, limit, tokenizer);
  const pieces = createSide(sides.pieces, room - share, limit, tokenizer);
  const used = (): Size => add(fixed, add(history.size(), pieces.size()));
  const full = (): boolean => tokenizer.tokens(used()) >= limit * enough;
  const furtherBelow = () => (history.below() >= pieces.below() ? [history, pieces] : [pieces, history]);

  for (const side of [history, pieces]) while (side.take(used(), true));
  while (furtherBelow().some((side) => side.take(used())));
  for (const side of furtherBelow()) if (!full()) side.cut(used());
  // Behind a message that was cut there is no older one: it would seem to be the next.
  for (const side of furtherBelow()) {
    for (let i = 0; i < further && !full(); i++) {
      if (side === history && history.hasCut()) break;
      if (!side.take(used()) && !side.cut(used()) && !side.skip()) break;
    }
  }
  for (const side of furtherBelow()) if (!full()) side.cutFiner(used());
  return { history: history.chosen(), pieces: pieces.chosen() };
}

/** `used` is the size of the whole window, of what the side has taken as well. */
interface Side<T> {
  size(): Size;
  /** Tokens that its share still has. */
  below(): number;
  /** Takes the next one if it fits, and if told so into the share. */
  take(used: Size, within?: boolean): boolean;
  /** Takes the beginning of the next one. */
  cut(used: Size): boolean;
  hasCut(): boolean;
  /** Passes the next one by; false: there is none, or it may not be. */
  skip(): boolean;
  /** Cuts anew what was cut, else the first one that was passed by, at any character. */
  cutFiner(used: Size): void;
  chosen(): readonly Chosen<T>[];
}

interface Taken<T> extends Chosen<T> {
  readonly candidate: Candidate<T>;
  readonly size: Size;
}

function createSide<T>(
  candidates: readonly Candidate<T>[],
  share: number,
  limit: number,
  tokenizer: Tokenizer,
): Side<T> {
  const taken: Taken<T>[] = [];
  const passedBy: Candidate<T>[] = [];
  let total = nothing;
  let next = 0;
  let nextSize: Size | undefined;
  const sizeOf = (messages: readonly ModelMessage[]): Size => messages.map(tokenizer.message).reduce(add, nothing);
  const advance = (): void => {
    next++;
    nextSize = undefined;
  };
  const put = (one: Taken<T>): void => {
    taken.push(one);
    total = add(total, one.size);
  };
  const beginningOf = (candidate: Candidate<T>, edges: readonly Edge[], used: Size): Taken<T> | undefined => {
    const measure = (kept: string): Size => add(used, sizeOf(candidate.cut(kept)));
    const cut = cutTo({ text: candidate.text, edges, limit, tokenizer, measure });
    if (cut === undefined) return undefined;
    const messages = candidate.cut(cut.kept);
    return { candidate, from: candidate.from, messages, size: subtract(cut.size, used), cut };
  };
  return {
    size: () => total,
    below: () => share - tokenizer.tokens(total),
    take(used, within = false) {
      const candidate = candidates[next];
      if (candidate === undefined) return false;
      if (nextSize === undefined && exceeds(candidate.text, used, limit, tokenizer)) return false;
      nextSize ??= sizeOf(candidate.messages);
      if (tokenizer.tokens(add(used, nextSize)) > limit) return false;
      if (within && tokenizer.tokens(add(total, nextSize)) > share) return false;
      put({ candidate, from: candidate.from, messages: candidate.messages, size: nextSize, cut: undefined });
      advance();
      return true;
    },
    cut(used) {
      const candidate = candidates[next];
      const beginning = candidate === undefined ? undefined : beginningOf(candidate, candidate.edges, used);
      if (beginning === undefined) return false;
      put(beginning);
      advance();
      return true;
    },
    hasCut: () => taken.some(({ cut }) => cut !== undefined),
    skip() {
      const candidate = candidates[next];
      if (candidate?.passable !== true) return false;
      passedBy.push(candidate);
      advance();
      return true;
    },
    cutFiner(used) {
      const at = taken.findLastIndex(({ cut }) => cut !== undefined);
      const old = taken[at];
      const candidate = old?.candidate ?? passedBy[0] ?? candidates[next];
      if (candidate === undefined) return;
      const finer = beginningOf(candidate, ['character'], subtract(used, old?.size ?? nothing));
      if (finer === undefined || tokenizer.tokens(finer.size) <= tokenizer.tokens(old?.size ?? nothing)) return;
      if (old === undefined) return put(finer);
      taken[at] = finer;
      total = add(subtract(total, old.size), finer.size);
    },
    chosen: () => taken,
  };
}

/** Whether there is no room for a text, without counting a long one to its end. */
export function exceeds(text: string, used: Size, limit: number, tokenizer: Tokenizer): boolean {
  const left = limit - tokenizer.tokens(used);
  return text.length > 2 * left && tokenizer.reach(text, used, limit) < text.length;
}
