// Chooses as fill.ts does, and says nothing twice: a piece that repeats a part of the history gives way where that part is in the window by
// itself. What history has been chosen by then stays, so that nothing falls between the two.
import type { ModelMessage } from '#core/model/model.ts';
import { type Candidate, type Chosen, type Filled, fill, type FillRequest } from './fill.ts';
import type { Given } from './piece.ts';
import { add, type Size } from './tokens.ts';
import type { Turn } from './turns.ts';

export interface Choice extends Filled<Turn, Given> {
  /** Pieces that the chosen history makes needless. */
  readonly repeated: readonly Candidate<Given>[];
}

/** All that is chosen and what is fixed stays within the limit. */
export function choose(request: FillRequest<Turn, Given>): Choice {
  const { tokenizer } = request;
  const sizeOf = (messages: readonly ModelMessage[]): Size =>
    messages.map(tokenizer.message).reduce(add, { first: 0, second: 0 });
  // Made anew and not pushed to: a history may have more messages than a call may have arguments.
  let kept: readonly Chosen<Turn>[] = [];
  let repeated: readonly Candidate<Given>[] = [];
  let { history, pieces, fixed, historyShare } = request;
  for (;;) {
    const filled = fill({ ...request, history, pieces, fixed, historyShare });
    const whole = filled.history.filter(({ cut }) => cut === undefined);
    const oldest = [...kept, ...whole].reduce(
      (least, { from }) => Math.min(least, from.index),
      Number.POSITIVE_INFINITY,
    );
    const isRepeated = ({ from }: { readonly from: Given }): boolean => (from.repeats ?? -1) >= oldest;
    repeated = [...repeated, ...pieces.filter(isRepeated)];
    if (!filled.pieces.some(isRepeated)) {
      const chosen = [...kept, ...filled.history].toSorted((a, b) => b.from.index - a.from.index);
      return { history: chosen, pieces: filled.pieces, repeated };
    }
    pieces = pieces.filter((piece) => !isRepeated(piece));
    const taken = new Set(whole.map(({ from }) => from));
    history = history.filter(({ from }) => !taken.has(from));
    kept = [...kept, ...whole];
    fixed = whole.map(({ messages }) => sizeOf(messages)).reduce(add, fixed);
    historyShare = 0;
  }
}
