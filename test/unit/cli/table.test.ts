// Tables: aligned, no wider than the terminal, and what goes first when it is narrow.
import { expect, test } from 'vitest';
import { type Column, table } from '../../../local/cli/table.ts';

interface Row {
  readonly id: string;
  readonly topic: string;
  readonly n: number;
  readonly why: string;
}

const rows: readonly Row[] = [
  { id: 'a1', topic: 'job.chat.simple', n: 5, why: 'because' },
  { id: 'b22', topic: 'job.echo', n: 1234, why: '' },
];

const columns: readonly Column<Row>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'TOPIC', value: ({ topic }) => topic, least: 6 },
  { title: 'N', value: ({ n }) => String(n), align: 'right' },
  { title: 'WHY', value: ({ why }) => why, spare: 1, least: 4 },
];

const wide = Number.POSITIVE_INFINITY;
const plain = (title: string): string => title;

test('columns are aligned, without blanks at the end', () => {
  expect(table(columns, rows, wide, plain)).toEqual([
    'ID   TOPIC               N  WHY',
    'a1   job.chat.simple     5  because',
    'b22  job.echo         1234',
  ]);
});

test('a column that is empty everywhere is left out, and titles only where wanted', () => {
  const silent = rows.map((row) => ({ ...row, why: '' }));
  expect(table(columns, silent, wide)).toEqual(['a1   job.chat.simple     5', 'b22  job.echo         1234']);
});

test('a spare column is cut, then left out, before any other is cut', () => {
  expect(table(columns, rows, 33, plain)[1]).toBe('a1   job.chat.simple     5  beca…');
  expect(table(columns, rows, 31, plain)[1]).toBe('a1   job.chat.simple     5');
  expect(table(columns, rows, 22, plain)).toEqual([
    'ID   TOPIC           N',
    'a1   job.chat.s…     5',
    'b22  job.echo     1234',
  ]);
});

test('never narrower than it can be', () => {
  expect(table(columns, rows, 5, plain)[1]).toBe('a1   job.c…     5');
});

test.each([20, 24, 30, 33, 40])('no line is longer than %i columns', (width) => {
  for (const line of table(columns, rows, width, plain)) expect(line.length).toBeLessThanOrEqual(width);
});

test('colours do not count as width', () => {
  const red = columns.map((column, i) =>
    i === 1 ? { ...column, style: (text: string) => `\u001b[31m${text}\u001b[39m` } : column,
  );
  const line = table(red, rows, wide, plain)[2] ?? '';
  expect(line).toBe('b22  \u001b[31mjob.echo\u001b[39m         1234');
});

test('wide letters keep the columns in place', () => {
  const [, first] = table(columns, [{ id: '日本', topic: 't', n: 1, why: '' }, ...rows], wide, plain);
  expect(first).toBe('日本  t                   1');
});
