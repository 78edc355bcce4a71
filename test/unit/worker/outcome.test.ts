// What a handler's return or throw becomes.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CortexError, errorCodes, isRetryable } from '#core/errors.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { noModel } from '../../../services/worker/no-model.ts';
import { backoffMs, failed, outcomeOf, timedOut } from '../../../services/worker/outcome.ts';
import { packThrown, unpackThrown } from '../../../services/worker/thrown.ts';

const base = { topic: 'job.test', pool: 'test', parallel: 1, input: z.unknown() };
const any = defineWorker({ ...base, handle: () => 1 });
const strict = defineWorker({ ...base, output: z.object({ n: z.number() }), handle: () => ({ n: 1 }) });

describe('a value', () => {
  test.each([
    [{ a: [1, 'ä'] }, '{"a":[1,"ä"]}'],
    [undefined, 'null'],
    [null, 'null'],
    ['', '""'],
  ])('%j is stored as JSON', (value, result) => {
    expect(outcomeOf({ value }, any, 100)).toEqual({
      status: 'SUCCEEDED',
      retryable: false,
      result,
      errorCode: '',
      errorMessage: '',
    });
  });

  const circle: { self?: unknown } = {};
  circle.self = circle;
  test.each([[1n], [circle], [() => 1], [Symbol('s')]])(
    '%s is no JSON: a mistake that another attempt repeats',
    (value) => {
      expect(outcomeOf({ value }, any, 100)).toMatchObject({
        status: 'FAILED',
        retryable: false,
        errorCode: 'internal',
      });
    },
  );

  test('that the output schema refuses names the field', () => {
    const outcome = outcomeOf({ value: { n: 'x' } }, strict, 100);
    expect(outcome).toMatchObject({ status: 'FAILED', retryable: false, errorCode: 'internal' });
    expect(outcome.errorMessage).toMatch(/^the handler's result is wrong: n: /);
  });

  test('is measured in bytes', () => {
    expect(outcomeOf({ value: 'x'.repeat(98) }, any, 100).status).toBe('SUCCEEDED');
    expect(outcomeOf({ value: 'ä'.repeat(49) }, any, 100).status).toBe('SUCCEEDED');
    expect(outcomeOf({ value: 'ä'.repeat(50) }, any, 100)).toMatchObject({
      status: 'FAILED',
      retryable: false,
      errorCode: 'out_of_range',
      errorMessage: 'result: is 102 bytes of JSON, at most 100 are stored',
    });
  });
});

describe('an error', () => {
  test.each(errorCodes.map((code) => [code]))('with code %s decides by its code', (code) => {
    const error = new CortexError(code, 'why');
    expect(failed(error)).toEqual({
      status: 'FAILED',
      retryable: isRetryable(error),
      result: undefined,
      errorCode: code,
      errorMessage: 'why',
    });
  });

  test.each([[new Error('boom')], ['boom'], [undefined]])(
    '%s of no kind of ours may be gone the next time',
    (error) => {
      expect(failed(error)).toMatchObject({ status: 'FAILED', retryable: true, errorCode: 'internal' });
    },
  );

  test('that is final is not worth another attempt, on either side of a thread', () => {
    for (const error of [noModel(), unpackThrown(packThrown(noModel()))])
      expect(failed(error)).toMatchObject({ status: 'FAILED', retryable: false, errorCode: 'unavailable' });
  });

  test('is told in a bounded number of characters', () => {
    expect(failed(new Error('x'.repeat(10_000))).errorMessage).toHaveLength(500);
  });

  test('by time is a TIMEOUT', () => {
    expect(timedOut(1500.4)).toMatchObject({ status: 'TIMEOUT', retryable: false, errorCode: 'deadline_exceeded' });
    expect(timedOut(1500.4).errorMessage).toBe('the handler did not finish within 1500 ms');
  });
});

test('the pause before another attempt doubles, up to a minute', () => {
  expect([0, 1, 2, 3, 6, 7, 100].map(backoffMs)).toEqual([1000, 1000, 2000, 4000, 32_000, 60_000, 60_000]);
});
