// Lists and maps with too many entries are refused by their number, before anything is said of each entry.
import { expect, test } from 'vitest';
import { HttpError } from '#core/http/errors.ts';
import { amount, fields, labels, parseFields, words } from '../../../functions/http/fields.ts';

const body = fields({ labels: labels(3), tags: words(3, 10), n: amount(100, 1) });

function problems(value: unknown): HttpError['errors'] {
  try {
    parseFields(body, value);
  } catch (error) {
    if (error instanceof HttpError) return error.errors;
    throw error;
  }
  return undefined;
}

test('absent, null and full', () => {
  expect(parseFields(body, {})).toEqual({ labels: {}, tags: [], n: 1 });
  expect(parseFields(body, { labels: null, tags: null, n: 0 })).toEqual({ labels: {}, tags: [], n: 1 });
  const full = { labels: { a: '1', b: '2', c: '3' }, tags: ['a', 'b', 'c'], n: 100 };
  expect(parseFields(body, full)).toEqual(full);
});

test.each([
  [{ labels: { a: '', b: '', c: '', 'a bad name': 5 } }, 'labels', 'must have at most 3 entries'],
  [{ tags: ['a', 'b', 'c', 5] }, 'tags', 'must have at most 3 entries'],
  [
    { labels: { 'a bad name': '' } },
    'labels.a bad name',
    'has a wrong name: must be letters, digits, ".", "_", "/" and "-"',
  ],
  [{ labels: { a: 5 } }, 'labels.a', 'must be text'],
  [{ n: 101 }, 'n', 'must be at most 100'],
  [{ n: 1e300 }, 'n', 'must be at most 100'],
  [{ n: -1e300 }, 'n', 'must be at least 0'],
  [{ labels: 'x' }, 'labels', 'must be an object'],
  [{ labels: [] }, 'labels', 'must be an object'],
  [{ tags: 'a, b, c, d' }, 'tags', 'must be a list'],
  [{ tags: ['a', ''] }, 'tags[1]', 'must not be empty or hold control characters'],
])('%j', (value, field, detail) => {
  expect(problems(value)).toEqual([{ field, detail }]);
});
