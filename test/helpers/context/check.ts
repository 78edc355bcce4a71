// What must be true of every window, told by the input, the window and an independent count.
import { cutMark } from '#core/context/cut.ts';
import { encodingOf } from '#core/context/encoding-of.ts';
import type { LeftOut, Part } from '#core/context/account.ts';
import { turnsOf } from '#core/context/turns.ts';
import type { Window, WindowInput } from '#core/context/window.ts';
import type { CortexError } from '#core/errors.ts';
import type { ModelMessage } from '#core/model/model.ts';
import type { Result } from '#core/result.ts';
import type { Oracle } from './oracle.ts';

export interface Seen {
  /** By the oracle. */
  readonly tokens: number;
  readonly limit: number;
  readonly refused: boolean;
  /** There was material that did not fit and might be cut; calls of tools may not. */
  readonly scarce: boolean;
}

interface Given {
  readonly model: string;
  readonly input: WindowInput;
}

/** Throws Error for whatever does not hold. */
export function checkWindow({ model, input }: Given, built: Result<Window>, oracle: Oracle): Seen {
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(what);
  };
  const count = (messages: readonly ModelMessage[]): number => oracle.prompt(encodingOf(model), messages);
  const user: ModelMessage = { role: 'user', content: input.user.toWellFormed() };
  const system = input.system
    .filter((content) => content !== '')
    .map((content): ModelMessage => ({ role: 'system', content: content.toWellFormed() }));
  const limit = input.budget.maxInputTokens - (input.budget.reserve ?? 0);
  if (!built.ok) {
    const least = count([...system, user]);
    must(least > limit, `refused, but the fixed part has ${least} tokens of ${limit}`);
    checkRefusal(built.error, least, limit);
    return { tokens: 0, limit, refused: true, scarce: false };
  }
  const { value: window } = built;
  const tokens = count(window.messages);
  must(tokens <= limit, `over budget: ${tokens} of ${limit}`);
  must(window.limit === limit && window.inputTokens === tokens, `says ${window.inputTokens} tokens, has ${tokens}`);
  must(window.estimated === (encodingOf(model) === undefined), 'says wrongly whether it is estimated');
  must(same(window.messages.at(-1), user), 'does not end with the user message as it is');
  must(same(window.messages.slice(0, system.length), system), 'does not begin with the system part as it is');
  must(window.parts.length === window.messages.length, 'has not one part for each message');
  checkOrder(window.parts);
  checkSources(input, window);
  checkPairs(window.messages);
  checkComplete(input, window);
  checkRepeats(input, window);
  const unused = window.leftOut.some((one) => one.why === 'no_room' && !isOfTools(input, one));
  const scarce = unused || window.parts.some(({ cut }) => cut !== undefined);
  return { tokens, limit, refused: false, scarce };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function checkRefusal(error: CortexError, least: number, limit: number): void {
  if (error.code !== 'out_of_range' || error.field !== 'max_input_tokens')
    throw new Error(`refused with ${error.code}`);
  const numbers = error.message.match(/-?\d+/g);
  if (!same(numbers, [String(least), String(limit)]))
    throw new Error(`${error.message}; should say ${least} and ${limit}`);
}

/** System, what lasts, history by age, the rest by source, user. */
function checkOrder(parts: readonly Part[]): void {
  const ranks = { system: 0, history: 2, user: 4 };
  let history = -1;
  let rank = 0;
  for (const [i, part] of parts.entries()) {
    const before = parts.slice(0, i).some(({ kind }) => kind === 'history') || rank === 3;
    const own = part.kind === 'piece' ? (before ? 3 : Math.max(rank, 1)) : ranks[part.kind];
    if (own < rank) throw new Error(`${part.kind} at ${i} is out of order`);
    rank = own;
    if (part.kind === 'history') {
      if (part.index <= history) throw new Error('the history is out of order');
      history = part.index;
    }
  }
}

/** What stands in the window is what was given, or the beginning of it and the mark. */
function checkSources(input: WindowInput, { messages, parts }: Window): void {
  for (const [i, part] of parts.entries()) {
    const content = messages[i]?.content ?? '';
    if (part.kind !== 'history' && part.kind !== 'piece') continue;
    const given = part.kind === 'history' ? input.history[part.index]?.content : input.pieces[part.index]?.text;
    const text = part.kind === 'history' ? content : content.slice(content.indexOf('\n') + 1);
    const wanted = (given ?? '').toWellFormed();
    if (part.cut === undefined ? text !== wanted : text !== cutMark && !text.endsWith(`\n${cutMark}`))
      throw new Error(`${part.kind} ${part.index} is not as it was given`);
    const kept = part.cut === undefined ? text : text.slice(0, Math.max(0, text.length - cutMark.length - 1));
    if (!wanted.startsWith(kept)) throw new Error(`${part.kind} ${part.index} is not the beginning of what was given`);
    if (part.kind !== 'piece' || part.lines === undefined) continue;
    const lines = part.lines.last - part.lines.first + 1;
    if (kept.split('\n').length !== lines) throw new Error(`piece ${part.index} has not the ${lines} lines it says`);
    if (part.cut === 'line' && (given ?? '')[kept.length] !== '\n') throw new Error('a line is cut');
    const head = `${part.source}:${part.lines.first}-${part.lines.last}`;
    if (!content.startsWith(`${head}\n`)) throw new Error(`piece ${part.index} does not begin with ${head}`);
  }
}

function checkPairs(messages: readonly ModelMessage[]): void {
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i];
    if (message?.role === 'tool') throw new Error('a result without its call');
    if (message?.role !== 'assistant') continue;
    const calls = new Set((message.toolCalls ?? []).map(({ id }) => id));
    for (; calls.size > 0; i++) {
      const result = messages[i + 1];
      if (result?.role !== 'tool' || !calls.delete(result.callId)) throw new Error('a call without its result');
    }
  }
}

/** Every entry of the input is in the window or left out, once; and a history is chosen from its end. */
function checkComplete(input: WindowInput, { parts, leftOut }: Window): void {
  for (const kind of ['history', 'piece'] as const) {
    const indices = [...parts, ...leftOut]
      .flatMap((one) => (one.kind === kind ? [one.index] : []))
      .toSorted((a, b) => a - b);
    const given = kind === 'history' ? input.history : input.pieces;
    if (
      !same(
        indices,
        given.map((_, i) => i),
      )
    )
      throw new Error(`${kind}: not each of the ${given.length} once: ${indices.join(' ')}`);
  }
  // Only a tool call too large for what is left is passed by for something older.
  const first = Math.min(...parts.flatMap((part) => (part.kind === 'history' ? [part.index] : [])));
  const late = leftOut.some(
    (one) => one.kind === 'history' && one.why === 'no_room' && one.index > first && !isOfTools(input, one),
  );
  if (late) throw new Error('a newer message is left out and an older one is not');
}

/** A piece that repeats the history stands beside nothing that it repeats, and has not gone without that either. */
function checkRepeats(input: WindowInput, { parts, leftOut }: Window): void {
  const cut = new Map(parts.flatMap((part) => (part.kind === 'history' ? [[part.index, part.cut] as const] : [])));
  const whole = turnsOf(input.history).turns.filter(({ index, messages }) =>
    messages.every((_, i) => cut.has(index + i) && cut.get(index + i) === undefined),
  );
  const oldest = Math.min(...whole.map(({ index }) => index));
  for (const part of parts) {
    if (part.kind === 'piece' && (input.pieces[part.index]?.repeats ?? -1) >= oldest)
      throw new Error(`piece ${part.index} says what the history says`);
  }
  for (const one of leftOut) {
    if (one.kind === 'piece' && one.why === 'in_history' && !((input.pieces[one.index]?.repeats ?? -1) >= oldest))
      throw new Error(`piece ${one.index} was left out for a history that is not there`);
  }
}

function isOfTools(input: WindowInput, one: LeftOut): boolean {
  if (one.kind !== 'history') return false;
  const message = input.history[one.index];
  return message?.role === 'tool' || (message?.role === 'assistant' && (message.toolCalls ?? []).length > 0);
}
