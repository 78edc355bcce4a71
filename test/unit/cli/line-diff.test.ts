// Differences by lines.
import { expect, test } from 'vitest';
import { lineDiff } from '../../../local/cli/line-diff.ts';

const text = (from: number, to: number, other: Readonly<Record<number, string>> = {}): string =>
  Array.from({ length: to - from + 1 }, (_, i) => other[from + i] ?? `line ${from + i}`).join('\n');

test('equal texts differ in nothing', () => {
  expect(lineDiff('', '')).toEqual([]);
  expect(lineDiff(text(1, 9), text(1, 9))).toEqual([]);
});

test('shows three lines around each change, and where it is', () => {
  expect(lineDiff(text(1, 20), text(1, 20, { 5: 'other', 15: 'another\nand more' }))).toEqual([
    ...['@@ -2,7 +2,7 @@', ' line 2', ' line 3', ' line 4', '-line 5', '+other', ' line 6', ' line 7', ' line 8'],
    ...['@@ -12,7 +12,8 @@', ' line 12', ' line 13', ' line 14', '-line 15', '+another', '+and more'],
    ...[' line 16', ' line 17', ' line 18'],
  ]);
});

test('lines that only came or only went', () => {
  expect(lineDiff('a\nb', 'a\nx\nb')).toEqual(['@@ -1,2 +1,3 @@', ' a', '+x', ' b']);
  expect(lineDiff('a\nx\nb', 'a\nb')).toEqual(['@@ -1,3 +1,2 @@', ' a', '-x', ' b']);
});

test('of very many lines what differs is shown whole, in no more than linear time', () => {
  const [before, after] = [text(1, 100_000, { 1: 'x' }), text(1, 100_000, { 100_000: 'y' })];
  const diff = lineDiff(before, after);
  expect(diff).toHaveLength(200_001);
  expect(diff.filter((line) => line.startsWith('-'))).toHaveLength(100_000);
});
