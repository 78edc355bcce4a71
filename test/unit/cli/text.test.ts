// Values as people read them, and text that a terminal must not obey.
import { describe, expect, test } from 'vitest';
import {
  age,
  bytes,
  columnsOf,
  counted,
  cut,
  duration,
  number,
  oneLine,
  visible,
  wrap,
} from '../../../local/cli/text.ts';
import { shellWord } from '../../../local/cli/shell.ts';
import { nearest } from '../../../local/cli/nearest.ts';

test('what a terminal would obey is made visible', () => {
  expect(oneLine('a\u001b[2Jb\u0007\u009b1m')).toBe('a\\x1b[2Jb\\x07\\x9b1m');
  expect(oneLine('a\nb\tc\rd')).toBe('a\\nb c\\x0dd');
  expect(visible('a\r\nb\tc\rd')).toBe('a\nb\tc\\x0dd');
  expect(visible('safe\u202egnp.exe')).toBe('safe\\u202egnp.exe');
  expect(visible('grün 日本 🎉')).toBe('grün 日本 🎉');
});

test.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [1_000, '1.0 s'],
  [9_990, '9.9 s'],
  [12_900, '12 s'],
  [60_000, '1 min'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h'],
  [3_780_000, '1 h 3 min'],
  [187_200_000, '2 d 4 h'],
])('%d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [-5, 'now'],
  [900, 'now'],
  [5_000, '5 s'],
  [180_000, '3 min'],
  [7_300_000, '2 h'],
  [400_000_000, '4 d'],
])('%d ms ago is %s', (ms, text) => {
  expect(age(ms)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [1_550, '1.6 kB'],
  [9_960, '10 kB'],
  [999_600, '1.0 MB'],
  [12_345_678, '12 MB'],
])('%d bytes are %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

test('numbers have groups of three, and words their plural', () => {
  expect([number(7), number(1_234), number(1_234_567)]).toEqual(['7', '1,234', '1,234,567']);
  expect([counted(1, 'file'), counted(2_000, 'file'), counted(0, 'entry', 'entries')]).toEqual([
    '1 file',
    '2,000 files',
    '0 entries',
  ]);
});

test('widths as a terminal has them', () => {
  expect(columnsOf('\u001b[31mred\u001b[39m')).toBe(3);
  expect(columnsOf('日本')).toBe(4);
  expect(columnsOf('e\u0301')).toBe(1);
});

test('a cut shows', () => {
  expect(cut('abcdef', 6)).toBe('abcdef');
  expect(cut('abcdef', 4)).toBe('abc…');
  expect(cut('src/deep/file.ts', 8, 'front')).toBe('…file.ts');
  expect(cut('日本語', 4)).toBe('日…');
});

test('lines break at blanks; a long word stays whole', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
  expect(wrap('a https://example.test/long b', 10)).toEqual(['a', 'https://example.test/long', 'b']);
});

test('suggested commands can be pasted', () => {
  expect(shellWord('a-b_c.d/e:f=1')).toBe('a-b_c.d/e:f=1');
  expect(shellWord("it's")).toBe(`'it'\\''s'`);
  expect(shellWord('')).toBe("''");
});

describe('what was meant', () => {
  const known = ['submit', 'get', 'list', 'trace', 'max-input-tokens', 'max-output-tokens'];
  test.each([
    ['sumbit', 'submit'],
    ['lst', 'list'],
    ['gte', 'get'],
    ['subm', 'submit'],
    ['max-input', 'max-input-tokens'],
    ['max', undefined],
    ['xyz', undefined],
  ])('%s: %s', (word, meant) => {
    expect(nearest(word, known)).toBe(meant);
  });
});
