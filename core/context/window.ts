// The window of a model request: which messages go in, in which order, and what was left out and why. Data in, data out: the same input
// gives the same bytes.
//
// Order, because providers keep the beginning of a prompt that comes again: system, pieces that last, history from old to new, pieces for
// this request, the user's message. What changes least comes first.
//
// Choice: the system part and the user's message are whole or there is no window. What they leave is shared between history, newest first,
// and pieces, best first; what one side does not need the other gets. Where nothing more fits as a whole, a piece or the oldest chosen
// message is cut (cut.ts), so that at least 97% is used. docs/context-library.md has the guarantees and what is not promised.
import { CortexError, invalid } from '#core/errors.ts';
import type { ModelMessage } from '#core/model/model.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Entry, type LeftOut, leftOutOf, type Part, pieceEntries, turnEntries } from './account.ts';
import { choose } from './choose.ts';
import { exceeds } from './fill.ts';
import { bySource, type Lines, type Piece, pieceCandidate, uniquePieces } from './piece.ts';
import { add, nothing, type Size, type Tokenizer } from './tokens.ts';
import { turnCandidate, turnsOf } from './turns.ts';

export interface WindowBudget {
  readonly maxInputTokens: number;
  /** Tokens of these that are kept free: for an answer that shares the model's context, for tool definitions. Default 0. */
  readonly reserve?: number;
  /** From 0 to 1: what history may take of the room if there are pieces enough for the rest. Default 0.5. */
  readonly historyShare?: number;
}

export interface WindowInput {
  /** One message each, in this order; empty ones are no message. */
  readonly system: readonly string[];
  /** Oldest first. */
  readonly history: readonly ModelMessage[];
  /** In any order. */
  readonly pieces: readonly Piece[];
  readonly user: string;
  readonly budget: WindowBudget;
  /** Whose words pieces are. Default system, as the original has them; a provider may want system messages at the beginning alone. */
  readonly pieceRole?: 'system' | 'user';
  /** Count what was left out as well, which takes time that the window itself does not need. */
  readonly explain?: boolean;
}

export interface Window {
  readonly messages: readonly ModelMessage[];
  /** One for each message. */
  readonly parts: readonly Part[];
  readonly leftOut: readonly LeftOut[];
  readonly inputTokens: number;
  /** What they had to stay within. */
  readonly limit: number;
  /** The model's encoding is unknown: tokens are the larger count of two others and a tenth. */
  readonly estimated: boolean;
}

/**
 * Never more tokens than the budget, whatever the input is. `out_of_range`: the system part and the user's message alone are more;
 * `invalid_argument` for numbers that are none.
 */
export function buildWindow(input: WindowInput, tokenizer: Tokenizer): Result<Window> {
  const wrong = problemOf(input);
  if (wrong !== undefined) return err(wrong);
  const { budget, pieceRole = 'system' } = input;
  const limit = budget.maxInputTokens - (budget.reserve ?? 0);
  const system = input.system.map((content, index) => ({ index, message: said('system', content) }));
  const kept = system.filter(({ message }) => message.content !== '');
  const user = said('user', input.user);
  const fixed = fixedSize([...kept.map(({ message }) => message), user], limit, tokenizer);
  if (!fixed.ok) return fixed;

  const sent = input.history.map(wellFormed);
  const { turns, unsendable } = turnsOf(sent);
  const { unique, doubled } = uniquePieces(input.pieces);
  const history = turns.toReversed().map(turnCandidate);
  const pieces = unique.map((piece) => pieceCandidate(piece, pieceRole));
  const share = budget.historyShare ?? 0.5;
  const chosen = choose({ history, pieces, fixed: fixed.value, limit, historyShare: share, tokenizer });

  const lasting = chosen.pieces.filter(({ from }) => from.lasting === true);
  const passing = chosen.pieces.filter(({ from }) => from.lasting !== true);
  const entries: readonly Entry[] = [
    ...kept.map(({ message, index }): Entry => [message, { kind: 'system', index, cut: undefined }]),
    ...lasting.flatMap(pieceEntries),
    ...chosen.history.toReversed().flatMap(turnEntries),
    ...passing.toSorted((a, b) => bySource(a.from, b.from)).flatMap(pieceEntries),
    [user, { kind: 'user', cut: undefined }],
  ];
  const messages = entries.map(([message]) => message);
  const tokensOf = (list: readonly ModelMessage[]): number =>
    tokenizer.tokens(list.map(tokenizer.message).reduce(add, nothing));
  const tokens = input.explain === true ? tokensOf : (): undefined => undefined;
  return ok({
    messages,
    parts: entries.map(([message, part]): Part => ({ ...part, tokens: tokensOf([message]) })),
    leftOut: leftOutOf({ sent, unsendable, doubled, history, pieces, chosen, tokens }),
    inputTokens: tokenizer.prompt(messages),
    limit,
    estimated: tokenizer.estimated,
  });
}

/** What cannot be left out and cut: its size, or why there is no window. */
function fixedSize(messages: readonly ModelMessage[], limit: number, tokenizer: Tokenizer): Result<Size> {
  const tooLarge = (tokens: string): CortexError =>
    new CortexError(
      'out_of_range',
      `the system part and the last user message need ${tokens} tokens, and there are ${limit}`,
      {
        field: 'max_input_tokens',
      },
    );
  const huge = messages.some(
    ({ content }) => content.length > countedForAnError && exceeds(content, nothing, limit, tokenizer),
  );
  if (huge) return err(tooLarge(`more than ${Math.max(0, limit)}`));
  const size = messages.map(tokenizer.message).reduce(add, tokenizer.answer);
  return tokenizer.tokens(size) <= limit ? ok(size) : err(tooLarge(String(tokenizer.tokens(size))));
}

/** Characters of a message that are counted even if it is refused: about 100 ms. */
const countedForAnError = 200_000;

function said(role: 'system' | 'user', content: string): ModelMessage {
  return { role, content: content.toWellFormed() };
}

/** A lone surrogate has no bytes of its own, so it is replaced before anything is counted, as every encoder of UTF-8 would. */
function wellFormed(message: ModelMessage): ModelMessage {
  return { ...message, content: message.content.toWellFormed() };
}

function problemOf({ budget, pieces }: WindowInput): CortexError | undefined {
  const { maxInputTokens, reserve = 0, historyShare = 0.5 } = budget;
  if (!Number.isSafeInteger(maxInputTokens) || maxInputTokens < 1)
    return invalid('max_input_tokens', 'must be a whole number above 0');
  if (!Number.isSafeInteger(reserve) || reserve < 0) return invalid('reserve', 'must be a whole number, 0 or more');
  if (!(historyShare >= 0 && historyShare <= 1)) return invalid('history_share', 'must be a number from 0 to 1');
  for (const [i, { score, lines, repeats }] of pieces.entries()) {
    if (!Number.isFinite(score)) return invalid(`pieces.${i}.score`, 'must be a number');
    if (repeats !== undefined && !(Number.isSafeInteger(repeats) && repeats >= 0))
      return invalid(`pieces.${i}.repeats`, 'must be a place in the history');
    if (lines !== undefined && !areLines(lines))
      return invalid(`pieces.${i}.lines`, 'must be whole numbers from 1, the first not above the last');
  }
  return undefined;
}

function areLines({ first, last }: Lines): boolean {
  return Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 1 && first <= last;
}
