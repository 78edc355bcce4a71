// What a window holds and what it does not, entry by entry, for whoever asks why: `cortex context explain`, a test, a person with a bill.
import type { ModelMessage } from '#core/model/model.ts';
import type { Edge } from './cut.ts';
import type { Choice } from './choose.ts';
import type { Candidate, Chosen } from './fill.ts';
import { type Given, type Lines, linesOf } from './piece.ts';
import type { Turn, Turns, Unsendable } from './turns.ts';

/** Where a piece comes from. */
export interface Origin {
  readonly source: string;
  /** Of what is in the window; if the cut is not at a line's end, the last of them is there in part. */
  readonly lines: Lines | undefined;
  readonly score: number;
  readonly reason: string;
}

/** `index`: its place in the list that it was given in. */
export type Place =
  | { readonly kind: 'system' | 'history'; readonly index: number }
  | ({ readonly kind: 'piece'; readonly index: number } & Origin)
  | { readonly kind: 'user' };

/** A message of the window. */
export type Part = Place & {
  /** Of this message alone. Each is rounded up where the model's encoding is unknown, so their sum may be more than the window's. */
  readonly tokens: number;
  /** Where it was cut; undefined: it is whole. */
  readonly cut: Edge | undefined;
};

/** `no_room`: others were newer or better, or it is larger than what was left. `in_history`: the history says it already. */
export type LeftOutWhy = 'no_room' | 'duplicate' | 'in_history' | Unsendable;

export type LeftOut = Place & {
  readonly why: LeftOutWhy;
  /** undefined: nobody asked to explain, so nobody counted. */
  readonly tokens: number | undefined;
};

/** A message, where it comes from, and where it was cut. */
export type Entry = readonly [ModelMessage, Place & Pick<Part, 'cut'>];

/** The messages of a chosen turn. */
export function turnEntries({ from, messages, cut }: Chosen<Turn>): Entry[] {
  return messages.map((message, i) => [
    message,
    { kind: 'history', index: from.index + i, cut: message === from.messages[i] ? undefined : cut?.edge },
  ]);
}

/** The messages of a chosen piece. */
export function pieceEntries({ from, messages, cut }: Chosen<Given>): Entry[] {
  const place = { ...placeOf(from, cut?.kept), cut: cut?.edge };
  return messages.map((message) => [message, place]);
}

export interface Leftovers {
  /** As it would be sent. */
  readonly sent: readonly ModelMessage[];
  readonly unsendable: Turns['unsendable'];
  readonly doubled: readonly Given[];
  readonly history: readonly Candidate<Turn>[];
  readonly pieces: readonly Candidate<Given>[];
  readonly chosen: Choice;
  readonly tokens: (messages: readonly ModelMessage[]) => number | undefined;
}

/** History in its order, then pieces, the best first. */
export function leftOutOf({ sent, unsendable, doubled, history, pieces, chosen, tokens }: Leftovers): LeftOut[] {
  const turns = new Set(chosen.history.map(({ from }) => from));
  const taken = new Set(chosen.pieces.map(({ from }) => from));
  const repeated = new Set(chosen.repeated.map(({ from }) => from));
  const unchosen = history
    .filter(({ from }) => !turns.has(from))
    .flatMap(({ from }) => from.messages.map((_, i) => ({ index: from.index + i, why: 'no_room' as const })));
  const entries = [...unchosen, ...unsendable].toSorted((a, b) => a.index - b.index);
  return [
    ...entries.map(({ index, why }): LeftOut => {
      return { kind: 'history', index, why, tokens: tokens(sent.slice(index, index + 1)) };
    }),
    ...pieces
      .filter(({ from }) => !taken.has(from))
      .map(({ from, messages }): LeftOut => {
        const why = repeated.has(from) ? 'in_history' : 'no_room';
        return { ...placeOf(from), why, tokens: tokens(messages) };
      }),
    ...doubled.map((from): LeftOut => ({ ...placeOf(from), why: 'duplicate', tokens: undefined })),
  ];
}

function placeOf(piece: Given, kept = piece.text): Extract<Place, { kind: 'piece' }> {
  const { index, source, score, reason } = piece;
  return { kind: 'piece', index, source, lines: linesOf(piece, kept), score, reason };
}
