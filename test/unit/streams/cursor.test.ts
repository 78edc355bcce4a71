// Cursors of the streams: what was told is understood again, and everything else is refused.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromOldest } from '#core/jobs/follow.ts';
import { maxOutputBytes } from '#core/jobs/output.ts';
import { formatCursor, parseCursor } from '../../../functions/gateway/streams/cursor.ts';

test('the words', () => {
  expect(parseCursor('')).toEqual({ from: 'now' });
  expect(parseCursor('$')).toEqual({ from: 'now' });
  expect(parseCursor('0')).toEqual({ from: 'oldest' });
  expect(formatCursor(fromOldest)).toBe('0');
  expect(formatCursor('1-0')).toBe('1-0');
  expect(formatCursor('1-0', undefined, true)).toBe('1-0~0.0.0~e');
  expect(parseCursor('1-0')).toEqual({ from: 'after', id: '1-0', output: undefined, ending: false });
});

test('each comes back as it was told', () => {
  const place = fc.record({
    fence: fc.bigInt({ min: 1n, max: 10n ** 16n - 1n }).map(String),
    at: fc.nat(maxOutputBytes),
    offset: fc.nat(maxOutputBytes),
  });
  const id = fc.tuple(fc.nat(), fc.nat()).map(([ms, seq]) => `${ms}-${seq}`);
  fc.assert(
    fc.property(id, fc.option(place, { nil: undefined }), fc.boolean(), (position, output, ending) => {
      expect(parseCursor(formatCursor(position, output, ending))).toEqual({
        from: 'after',
        id: position,
        output,
        ending,
      });
    }),
  );
});

test.each([
  'x',
  '1',
  '1-',
  '0~1.2.3',
  '1-0~',
  '1-0~1.2',
  '1-0~1.2.3.4',
  '1-0~1.2.3~',
  '1-0~e',
  '1-0~1.2.3~e~e',
  ' 1-0',
])('%j is none', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});
