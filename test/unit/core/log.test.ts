// How errors look in a log line.
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { createLog } from '#core/log.ts';

function logged(error: unknown): { stack?: string; cause?: { stack?: string } } {
  const lines: string[] = [];
  createLog({ level: 'info', write: (line) => lines.push(line), now: () => 0 }).error('told', { error });
  return (JSON.parse(lines[0] ?? '') as { error: object }).error;
}

test('what was foreseen has no stack, and neither has what lies behind it', () => {
  const error = logged(new CortexError('unavailable', 'no NATS', { cause: new Error('refused') }));
  expect(error.stack).toBeUndefined();
  expect(error.cause).toEqual({ name: 'Error', message: 'refused' });
});

test('a surprise has one, alone or behind an error that says so', () => {
  expect(logged(new TypeError('a bug')).stack).toContain('log.test.ts');
  expect(logged(new CortexError('internal', 'odd', { cause: new TypeError('a bug') })).cause?.stack).toBeDefined();
});

test('of what somebody sent only the beginning is kept, and still the stack behind it', () => {
  const error = logged(new CortexError('internal', 'x'.repeat(3e6), { cause: new TypeError('y'.repeat(3e6)) }));
  expect(JSON.stringify(error).length).toBeLessThan(15_000);
  expect(error.cause?.stack).toMatch(/^TypeError: y{2000}\.\.\.\n.*log\.test\.ts/s);
});
