// A window as a person reads it: what went in, in its order, and what was left out and why, with tokens.
import type { BuildWindowResponse, LeftOut, Lines, WindowPart } from '#proto/cortex/v1/context_pb.ts';
import type { Output } from './output.ts';
import { type Column, table } from './table.ts';
import { counted, number, oneLine, visible } from './text.ts';

type Row = Partial<Pick<WindowPart, 'cut'>> & Omit<LeftOut, 'why' | '$typeName' | '$unknown'>;

/** What an engine leaves out, in words. */
const whys: Readonly<Record<string, string>> = {
  no_room: 'because there is no room and others are newer or better',
  duplicate: 'given twice',
  in_history: 'said by the history already',
  empty: 'empty',
  call_without_result: 'a call without its result',
  result_without_call: 'a result without its call',
};

/** Left-out entries that are shown one by one. */
const mostLeftOut = 40;

export function showWindow(window: BuildWindowResponse, texts: boolean, out: Output): void {
  const { parts, leftOut, inputTokens, limit, estimated, repository, commit, messages } = window;
  const share = limit > 0 ? ` (${Math.round((100 * inputTokens) / limit)}%)` : '';
  const counts = estimated ? ', estimated: the encoding of the model is not known' : '';
  out.print(`${number(inputTokens)} of ${number(limit)} tokens${share}${counts}`);
  if (repository !== '') out.print(`repository ${oneLine(repository)}, commit ${oneLine(commit)}`);
  const head = (title: string): string => out.paint('bold', title);
  out.print('', head('In the window'), ...table(columns, parts, out.width, head));
  for (const [why, all] of Map.groupBy(leftOut, (one) => one.why)) {
    const tokens = all.reduce((sum, one) => sum + one.tokens, 0);
    const what = `${counted(all.length, 'entry', 'entries')} with ${number(tokens)} tokens`;
    out.print('', head(`Left out, ${whys[why] ?? oneLine(why)}: ${what}`));
    out.print(...table(columns, all.slice(0, mostLeftOut), out.width, head));
    if (all.length > mostLeftOut) out.print(`and ${all.length - mostLeftOut} more`);
  }
  if (!texts) return;
  for (const [i, { role, content }] of messages.entries()) out.print('', head(`${i + 1} ${role}`), visible(content));
}

const columns: readonly Column<Row>[] = [
  { title: 'WHAT', value: ({ kind, index }) => (kind === 'piece' || kind === 'user' ? kind : `${kind} ${index}`) },
  { title: 'TOKENS', value: ({ tokens }) => number(tokens), align: 'right' },
  { title: 'SCORE', value: ({ kind, score }) => (kind === 'piece' ? score.toFixed(2) : ''), align: 'right', spare: 2 },
  { title: 'FROM', value: ({ source, lines }) => oneLine(`${source}${linesOf(lines)}`), least: 24, cut: 'front' },
  { title: 'CUT', value: ({ cut }) => (cut === undefined || cut === '' ? '' : `at a ${cut}`), spare: 3 },
  { title: 'WHY', value: ({ reason }) => oneLine(reason), least: 24 },
];

function linesOf(lines: Lines | undefined): string {
  return lines === undefined ? '' : `:${lines.first}-${lines.last}`;
}
