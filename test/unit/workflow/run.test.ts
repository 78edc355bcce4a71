// What a child is called, and what its state means for its step.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isRetryable } from '#core/errors.ts';
import { isJobId, type JobView } from '#core/jobs/job.ts';
import { endStates, states } from '#core/jobs/state.ts';
import { defineWorkflow } from '#core/workflow/definition.ts';
import { childId, inputDigest, isStepKey, nextOf, retryPauseMs } from '#core/workflow/run.ts';

test('a child is named after its parent, step and try', () => {
  const parent = '0190a3c4-0000-7000-8000-000000000000';
  expect(childId(parent, 'scan', 1)).toBe(`${parent}.scan.1`);
  expect(childId(parent, 'scan', 2)).toBe(`${parent}.scan.2`);
});

const anyId = fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/);
const anyKey = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/);

test('names of children are ids, always the same, and never shared by two tries', () => {
  const tries = fc.tuple(anyId, anyKey, fc.integer({ min: 1, max: 200 }));
  fc.assert(
    fc.property(tries, tries, (a, b) => {
      expect(isJobId(childId(...a))).toBe(true);
      expect(childId(...a)).toBe(childId(...a));
      if (a.join(' ') !== b.join(' ')) expect(childId(...a)).not.toBe(childId(...b));
    }),
  );
});

test.each([
  ['scan', true],
  ['a', true],
  ['file-12', true],
  ['a'.repeat(40), true],
  ['a'.repeat(41), false],
  ['', false],
  ['-a', false],
  ['a-', false],
  ['A', false],
  ['a.b', false],
  ['a b', false],
])('%j may name a step: %s', (key, expected) => {
  expect(isStepKey(key)).toBe(expected);
});

const child = (facts: Partial<JobView>) =>
  ({ state: 'FAILED', errorCode: '', errorMessage: '', final: false, safetyReason: '', ...facts }) as const;
const first = { attempt: 1, maxRetries: 1 };
const last = { attempt: 2, maxRetries: 1 };

test('a step waits until its child has ended, and is done when that succeeded', () => {
  for (const state of states) {
    const { next } = nextOf('scan', child({ state }), first);
    if (!endStates.includes(state)) expect(next, state).toBe('wait');
    else if (state === 'SUCCEEDED') expect(next).toBe('done');
    else expect(['retry', 'fail'], state).toContain(next);
  }
});

test.each([
  // A surprise, a code of somebody else's, no code at all, and what isRetryable names: once more.
  [{ errorCode: 'internal' }, true],
  [{ errorCode: 'unknown' }, true],
  [{ errorCode: '' }, true],
  [{ errorCode: 'worker_lost' }, true],
  [{ errorCode: 'E_FOREIGN' }, true],
  [{ errorCode: 'unavailable' }, true],
  [{ errorCode: 'resource_exhausted' }, true],
  [{ state: 'TIMEOUT', errorCode: 'deadline_exceeded' }, true],
  // The caller's fault, or somebody's will: not again.
  [{ errorCode: 'invalid_argument' }, false],
  [{ errorCode: 'permission_denied' }, false],
  [{ errorCode: 'unimplemented' }, false],
  [{ errorCode: 'out_of_range' }, false],
  [{ errorCode: 'no_pool' }, false],
  [{ errorCode: 'unavailable', final: true }, false],
  [{ errorCode: 'internal', final: true }, false],
  [{ state: 'DENIED', errorCode: '' }, false],
  [{ state: 'CANCELLED', errorCode: 'cancelled' }, false],
] as const)('%j is tried again: %s', (facts, again) => {
  const next = nextOf('scan', child(facts), first);
  if (again) expect(next).toEqual({ next: 'retry', attempt: 2, pauseMs: retryPauseMs.first });
  else expect(next.next).toBe('fail');
  expect(nextOf('scan', child(facts), last).next).toBe('fail');
  expect(nextOf('scan', child(facts), { attempt: 1, maxRetries: 0 }).next).toBe('fail');
});

test.each([
  [
    { errorCode: 'invalid_argument', errorMessage: 'local_path: is odd' },
    'invalid_argument',
    'scan failed: local_path: is odd',
  ],
  [{ errorCode: 'E_X', errorMessage: '' }, 'internal', 'scan failed: E_X'],
  [{}, 'internal', 'scan failed: its worker gave no reason'],
  [{ state: 'TIMEOUT', errorMessage: 'after 5 s' }, 'deadline_exceeded', 'scan failed: it took too long: after 5 s'],
  [{ state: 'TIMEOUT' }, 'deadline_exceeded', 'scan failed: it took too long'],
  [{ state: 'CANCELLED', errorMessage: 'cancelled by x' }, 'canceled', 'scan failed: it was cancelled'],
  [
    { state: 'DENIED', safetyReason: 'topic denied by policy' },
    'permission_denied',
    'scan failed: the policy denied it: topic denied by policy',
  ],
] as const)('%j fails the step as %s: %s', (facts, code, message) => {
  const next = nextOf('scan', child(facts), last);
  expect(next).toMatchObject({ next: 'fail', error: { code, message } });
  // Whoever runs the parent again would find the same children, so this must not depend on luck.
  if (code === 'internal') expect(isRetryable(next.next === 'fail' ? next.error : undefined)).toBe(false);
});

test('another input has another digest', () => {
  expect(inputDigest('{"a":1}')).toBe(inputDigest('{"a":1}'));
  expect(inputDigest('{"a":1}')).not.toBe(inputDigest('{"a":2}'));
});

test('a workflow with an impossible name or topic is refused where it is defined', () => {
  const spec = { name: 'flow', topic: 'job.workflow.flow', input: z.unknown(), output: z.unknown(), run };
  function* run() {
    yield* [];
  }
  expect(defineWorkflow(spec)).toMatchObject({ name: 'flow', topic: 'job.workflow.flow', version: '1' });
  expect(() => defineWorkflow({ ...spec, name: 'A flow' })).toThrow('A flow is not a name for a workflow');
  expect(() => defineWorkflow({ ...spec, topic: 'sys.flow' })).toThrow('sys.flow is not a topic of workflows');
  expect(() => defineWorkflow({ ...spec, topic: 'job.flow' })).toThrow('job.flow is not a topic of workflows');
  expect(() => defineWorkflow({ ...spec, name: 'other' })).toThrow(
    'a workflow of job.workflow.flow is called flow, not other',
  );
  expect(() => defineWorkflow({ ...spec, version: 'a b' })).toThrow('a b is not a version');
});
