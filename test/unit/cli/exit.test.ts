// The exit codes are a promise to scripts: each value stands here a second time.
import { expect, test } from 'vitest';
import { endStates, states } from '#core/jobs/state.ts';
import { exit, exitCodes, exitOfState, exitOfStatus } from '../../../local/cli/exit.ts';

test.each([
  ['SUCCEEDED', 0],
  ['FAILED', 1],
  ['DENIED', 6],
  ['CANCELLED', 7],
  ['TIMEOUT', 8],
  ['PENDING', 9],
  ['AWAITING_APPROVAL', 9],
  ['SCHEDULED', 9],
  ['DISPATCHED', 9],
  ['RUNNING', 9],
  ['A_STATE_OF_TOMORROW', 9],
])('a job in %s is %i', (state, code) => {
  expect(exitOfState(state)).toBe(code);
});

test('every end has a code of its own', () => {
  const codes = endStates.map(exitOfState);
  expect(new Set(codes).size).toBe(endStates.length);
  expect(codes).not.toContain(exit.unfinished);
  expect(states.filter((state) => exitOfState(state) !== exit.unfinished)).toEqual(endStates);
});

test.each([
  [400, 4],
  [401, 4],
  [403, 4],
  [413, 4],
  [422, 4],
  [429, 4],
  [404, 5],
  [500, 3],
  [502, 3],
  [503, 3],
])('an answer of %i is %i', (status, code) => {
  expect(exitOfStatus(status)).toBe(code);
});

test('the help explains each code once', () => {
  expect(exitCodes.map(([code]) => code)).toEqual(Object.values(exit));
});
