// What of a history may be sent at all, in units that stay together: a message, or an assistant's tool calls with all their results.
// Providers refuse a call without its result and a result without its call, so such entries are left out here.
import type { ModelMessage } from '#core/model/model.ts';
import { cutMark } from './cut.ts';
import type { Candidate } from './fill.ts';

export interface Turn {
  /** Place of its first message in the history. */
  readonly index: number;
  readonly messages: readonly ModelMessage[];
}

export type Unsendable = 'empty' | 'call_without_result' | 'result_without_call';

export interface Turns {
  /** Oldest first. */
  readonly turns: readonly Turn[];
  readonly unsendable: readonly { readonly index: number; readonly why: Unsendable }[];
}

/** Groups a history, oldest first. A call's results are the tool messages right behind it. */
export function turnsOf(history: readonly ModelMessage[]): Turns {
  const turns: Turn[] = [];
  const unsendable: { index: number; why: Unsendable }[] = [];
  for (let i = 0; i < history.length; ) {
    const message = history[i];
    if (message === undefined) break;
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
    if (calls.length > 0) {
      const end = resultsEnd(history, i + 1);
      const group = history.slice(i, end);
      if (
        answersEach(
          calls.map(({ id }) => id),
          group.slice(1),
        )
      )
        turns.push({ index: i, messages: group });
      else
        for (let at = i; at < end; at++)
          unsendable.push({ index: at, why: at === i ? 'call_without_result' : 'result_without_call' });
      i = end;
      continue;
    }
    if (message.role === 'tool') unsendable.push({ index: i, why: 'result_without_call' });
    else if (message.content === '') unsendable.push({ index: i, why: 'empty' });
    else turns.push({ index: i, messages: [message] });
    i++;
  }
  return { turns, unsendable };
}

/**
 * What a turn costs and how it may be cut, at whatever edge uses the budget: its contents one behind the other, so that of several results
 * the first ones stay, and of the others the mark. Calls are never cut.
 */
export function turnCandidate(turn: Turn): Candidate<Turn> {
  const { messages } = turn;
  const cut = (kept: string): ModelMessage[] => {
    let left = kept.length;
    return messages.map((message) => {
      const own = message.content.length;
      const part = message.content.slice(0, Math.max(0, left));
      left -= own;
      if (part.length === own) return message;
      return { ...message, content: part === '' ? cutMark : `${part}\n${cutMark}` };
    });
  };
  const text = messages.map(({ content }) => content).join('');
  return {
    from: turn,
    messages,
    text,
    edges: ['line', 'sentence', 'word', 'character'],
    passable: messages.length > 1,
    cut,
  };
}

function resultsEnd(history: readonly ModelMessage[], from: number): number {
  let end = from;
  while (history[end]?.role === 'tool') end++;
  return end;
}

/** One result for each call, and no other. */
function answersEach(calls: readonly string[], results: readonly ModelMessage[]): boolean {
  const answered = results.flatMap((result) => (result.role === 'tool' ? [result.callId] : []));
  const wanted = new Set(calls);
  return (
    wanted.size === calls.length &&
    answered.length === calls.length &&
    new Set(answered).size === answered.length &&
    answered.every((id) => wanted.has(id))
  );
}
