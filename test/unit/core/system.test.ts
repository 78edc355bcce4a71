import { describe, expect, test } from 'vitest';
import { systemClock, systemIds } from '#core/system.ts';

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const msOf = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16);

describe('a job id', () => {
  test.each([
    ['a clock that stands still', () => 1_800_000_000_000],
    ['a clock that goes back', (i: number) => 1_800_000_000_000 - i],
    ['a clock that goes on now and then', (i: number) => 1_800_000_000_000 + Math.floor(i / 37)],
  ])('is a UUIDv7 greater than the ones before it, with %s', (_, at) => {
    let calls = 0;
    const ids = systemIds({ ...systemClock, now: () => at(calls++) });
    const made = Array.from({ length: 10_000 }, () => ids.job());
    for (const id of made) expect(id).toMatch(form);
    expect(made.toSorted()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
    // Two thousand and more in each ms: far from the clock only where it stood still or went back.
    expect(Math.abs(msOf(made.at(-1) ?? '') - Math.max(at(0), at(9999)))).toBeLessThan(6);
  });

  test('carries its partition, and bits that nobody guesses', () => {
    const ids = systemIds();
    expect([ids.job(), ids.job(7), ids.job(255)].map((id) => id.slice(-2))).toEqual(['00', '07', 'ff']);
    const tails = Array.from({ length: 1000 }, () => ids.job().slice(19, 34));
    expect(new Set(tails).size).toBe(tails.length);
  });
});
