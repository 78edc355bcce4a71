import { expect, test } from 'vitest';
import { createMemoryChecker } from '#core/policy/memory-checker.ts';
import { checkInput, testChecker } from './checker.ts';

testChecker('memory', async () => {
  const checker = createMemoryChecker(() => Date.now());
  return {
    checker,
    setPolicy: checker.setPolicy,
    down: async () => checker.down(),
    up: async () => checker.up(),
    close: async () => undefined,
  };
});

test('the memory checker can speak for a foreign kernel', async () => {
  const checker = createMemoryChecker(() => 1_000);
  checker.overrule(({ topic }) => (topic === 'job.slow' ? { decision: 'THROTTLE', reason: 'too many' } : {}));
  const { verdicts } = await checker.check([checkInput({ topic: 'job.slow' }), checkInput()]);
  expect(verdicts.map((v) => [v.decision, v.reason])).toEqual([
    ['THROTTLE', 'too many'],
    ['ALLOW', ''],
  ]);
  checker.overrule(undefined);
  expect((await checker.check([checkInput({ topic: 'job.slow' })])).verdicts[0]?.decision).toBe('ALLOW');
});
