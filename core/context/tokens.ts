// What messages cost in tokens. Where the encoding of a model is known the count is exact; where it is not, both of OpenAI's encodings
// count, and the larger sum with a tenth on top is taken. Sizes are added up as pairs, so that the tenth is rounded once.
//
// Around a message stand the tokens that OpenAI's cookbook tells of: 3 for each, those of its role, and 3 that begin the answer.
// https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
// For tool calls it tells nothing. A call is counted as 3 tokens, its id, name and input, a result by its call's id and name as well: all
// that is sent, so never less than what a provider makes of it.
import type { ModelMessage } from '#core/model/model.ts';
import { createCountCache, type CountCache } from './count-cache.ts';
import type { Encoding } from './encoding.ts';

/** Tokens by one encoding or by two; both the same where one is known to be right. Only `tokens` makes a number of it. */
export interface Size {
  readonly first: number;
  readonly second: number;
}

export interface Tokenizer {
  /** As its provider names it. */
  readonly model: string;
  /** Nobody has published the model's encoding: numbers are a bound by experience, and no promise. */
  readonly estimated: boolean;
  text(text: string): Size;
  message(message: ModelMessage): Size;
  /** What a prompt costs besides its messages. */
  readonly answer: Size;
  tokens(size: Size): number;
  /** Tokens of a whole prompt. */
  prompt(messages: readonly ModelMessage[]): number;
  /**
   * How much of a text, in UTF-16 units and never within a code point, a window of `used` has room for up to the limit, before the text's
   * end costs anything: what is cut there is to be counted. Shorter than the text means that the text as a whole has no room, for certain.
   */
  reach(text: string, used: Size, limit: number): number;
}

export const nothing: Size = { first: 0, second: 0 };

export function add(a: Size, b: Size): Size {
  return { first: a.first + b.first, second: a.second + b.second };
}

export function subtract(a: Size, b: Size): Size {
  return { first: a.first - b.first, second: a.second - b.second };
}

const perMessage = 3;
const perCall = 3;
const perPrompt = 3;

/** `encodings`: the model's own, or two of which the larger count is taken. */
export function createTokenizer(
  model: string,
  encodings: readonly [Encoding] | readonly [Encoding, Encoding],
  cache: CountCache = createCountCache(),
): Tokenizer {
  const [one, two] = encodings;
  const counted = (encoding: Encoding, text: string): number => cache.count(encoding, text);
  const text = (words: string): Size => {
    const first = counted(one, words);
    return { first, second: two === undefined ? first : counted(two, words) };
  };
  const plus = (size: Size, tokens: number): Size => ({ first: size.first + tokens, second: size.second + tokens });
  const sum = (texts: readonly string[], tokens: number): Size =>
    texts.reduce((size, words) => add(size, text(words)), plus(nothing, tokens));
  const message = (said: ModelMessage): Size => {
    const own = sum([said.role, said.content], perMessage);
    if (said.role === 'tool') return add(own, sum([said.callId, said.name], 0));
    if (said.role !== 'assistant') return own;
    return (said.toolCalls ?? []).reduce(
      (size, call) => add(size, sum([call.id, call.name, inputText(call.input)], perCall)),
      own,
    );
  };
  const answer = plus(nothing, perPrompt);
  const tokens = ({ first, second }: Size): number =>
    two === undefined ? first : Math.ceil((Math.max(first, second) * 11) / 10);
  return {
    model,
    estimated: two !== undefined,
    text,
    message,
    answer,
    tokens,
    prompt: (messages) => tokens(messages.reduce((size, said) => add(size, message(said)), answer)),
    reach(words, used, limit) {
      const most = two === undefined ? limit : Math.floor((limit * 10) / 11);
      const end = one.reach(words, most - used.first).end;
      return two === undefined ? end : Math.min(end, two.reach(words, most - used.second).end);
    },
  };
}

/** As drivers send it. */
function inputText(input: unknown): string {
  return JSON.stringify(input) ?? '';
}
