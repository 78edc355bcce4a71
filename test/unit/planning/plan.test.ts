// The order of a plan's steps, and the plans that have none.
import { describe, expect, test } from 'vitest';
import { defaultSteps, orderOfSteps, PlanError, type PlanStep, planSteps } from '#core/planning/plan.ts';
import { createRandom } from '../../helpers/random.ts';

const step = (id: string, ...depends_on: string[]): PlanStep => ({ id, topic: 'job.echo', depends_on });
const ids = (steps: readonly PlanStep[]): string[] => steps.map(({ id }) => id);
const ordered = (...steps: PlanStep[]): string[] => {
  const order = orderOfSteps(steps);
  if (!order.ok) throw order.error;
  return ids(order.value);
};

describe('steps', () => {
  test('keep their order where nothing speaks against it', () => {
    expect(ordered()).toEqual([]);
    expect(ordered(step('b'), step('a'), step('c'))).toEqual(['b', 'a', 'c']);
    expect(ordered(...defaultSteps)).toEqual(['patch', 'explain']);
    expect(ordered(step('z', 'a'), step('y'), step('a', 'y', 'y'))).toEqual(['y', 'a', 'z']);
  });

  test.each(Array.from({ length: 30 }, (_, seed) => seed))('come behind all that they depend on: %i', (seed) => {
    const random = createRandom(seed);
    // Each depends on some with a lower number: that has no circle, in whatever order they are listed.
    const steps = Array.from({ length: 20 }, (_, i) =>
      step(`s${i}`, ...Array.from({ length: i === 0 ? 0 : random.below(3) }, () => `s${random.below(i)}`)),
    );
    const order = ordered(...steps.toSorted(() => random.next() - 0.5));
    expect(order.toSorted()).toEqual(ids(steps).toSorted());
    for (const { id, depends_on = [] } of steps)
      for (const need of depends_on) expect(order.indexOf(need)).toBeLessThan(order.indexOf(id));
  });

  test.each<[string, PlanStep[], Partial<PlanError>]>([
    [
      'doubled id',
      [step('a'), step('b'), step('a')],
      { problem: 'doubled_id', step: 'a', field: 'steps.2.id', message: 'steps.2.id: step "a" is there twice' },
    ],
    [
      'unknown dependency',
      [step('a'), step('b', 'a', 'x')],
      {
        ...{ problem: 'unknown_dependency', step: 'b', field: 'steps.1.depends_on' },
        message: 'steps.1.depends_on: step "b" depends on "x", and there is no such step',
      },
    ],
    ['step that waits for itself', [step('a', 'a')], { problem: 'cycle', step: 'a', field: 'steps.0.depends_on' }],
    [
      'circle',
      [step('d', 'c'), step('ok'), step('a', 'c'), step('b', 'a', 'ok'), step('c', 'b')],
      { problem: 'cycle', message: 'steps.4.depends_on: step "c" waits for itself: "c" -> "b" -> "a" -> "c"' },
    ],
  ])('with a %s have none, and the error names the step', (_name, steps, error) => {
    const order = orderOfSteps(steps);
    expect(order).toMatchObject({ ok: false, error: { code: 'invalid_argument', ...error } });
    expect(order.ok ? undefined : order.error).toBeInstanceOf(PlanError);
  });
});

test('the schema takes the default plan and refuses what is none', () => {
  expect(planSteps.parse([...defaultSteps])).toEqual(defaultSteps);
  for (const wrong of [{}, [{}], [{ id: '', topic: 'job.x' }], [{ id: 'a', topic: 'job.x', depends_on: 'b' }]])
    expect(planSteps.safeParse(wrong).success).toBe(false);
});
