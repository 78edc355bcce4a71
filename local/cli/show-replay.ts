// What differs in a replay, for people: the first words that were said otherwise, or what it came to, line by line.
import type { Divergence } from '#core/model/recorded.ts';
import type { ReplayOutcome } from '../replay/task.ts';
import { lineDiff } from './line-diff.ts';
import { oneLine } from './text.ts';

/** Characters shown on each side of the first one that differs. */
const near = 40;

export function showDivergence({ exchange, kind, difference }: Divergence): readonly string[] {
  if (kind === 'more') return [`exchange ${exchange} is not in the recording: it was not asked for then`];
  if (kind === 'fewer') return [`exchange ${exchange} of the recording was not asked for`];
  const { path = '', recorded, replayed, at = 0 } = difference ?? {};
  return [
    `exchange ${exchange} differs at ${path}, character ${at + 1}`,
    `- ${excerpt(recorded, at)}`,
    `+ ${excerpt(replayed, at)}`,
  ];
}

function excerpt(text: string | undefined, at: number): string {
  if (text === undefined) return '(nothing)';
  const [from, to] = [Math.max(0, at - near), Math.min(text.length, at + near)];
  return `${from > 0 ? '…' : ''}${oneLine(text.slice(from, to))}${to < text.length ? '…' : ''}`;
}

/** The difference as `diff -u` shows it. */
export function showOutcomes(before: ReplayOutcome, after: ReplayOutcome): readonly string[] {
  const lines = lineDiff(asLines(before), asLines(after));
  // The same in other words, as with another order of fields.
  const diff = lines.length > 0 ? lines : [`-${before.result ?? ''}`, `+${after.result ?? ''}`];
  return ['--- recorded', '+++ replayed', ...diff.map((line) => line.slice(0, 1) + oneLine(line.slice(1)))];
}

function asLines({ status, result, error_code, error_message }: ReplayOutcome): string {
  const error = [error_code, error_message].filter((part) => part !== '').join(': ');
  return [status, ...(error === '' ? [] : [error]), ...(result === null ? [] : [pretty(result)])].join('\n');
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
