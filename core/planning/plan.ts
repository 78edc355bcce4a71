// A plan is steps that wait for each other. Here is what one looks like, and in which order its steps can be done.
import { CortexError } from '#core/errors.ts';
import { planSteps, type PlanStep } from '#core/protocol/plan-payloads.ts';
import { err, ok, type Result } from '#core/result.ts';

/** What a plan's steps look like: `planSteps.safeParse(result.steps)`. */
export { planSteps, type PlanStep };

/** The plan for one file, when nobody names files: a patch, and its explanation. */
export const defaultSteps: readonly PlanStep[] = [
  { id: 'patch', topic: 'job.code.llm', adapter_id: 'refactor' },
  { id: 'explain', topic: 'job.chat.simple', adapter_id: 'explain', depends_on: ['patch'] },
];

export type PlanProblem = 'cycle' | 'unknown_dependency' | 'doubled_id';

/** Steps that cannot be done in any order; `step` is the one that is wrong, and the message names it. */
export class PlanError extends CortexError {
  readonly problem: PlanProblem;
  readonly step: string;

  constructor(problem: PlanProblem, step: string, field: string, why: string) {
    super('invalid_argument', `${field}: ${why}`, { field });
    this.name = 'PlanError';
    this.problem = problem;
    this.step = step;
  }
}

/** The steps so that each stands behind all that it depends on; of those that could come next, the one that was listed first. */
export function orderOfSteps(steps: readonly PlanStep[]): Result<readonly PlanStep[], PlanError> {
  const places = new Map<string, number>();
  for (const [i, { id }] of steps.entries()) {
    if (places.has(id)) return err(new PlanError('doubled_id', id, `steps.${i}.id`, `step ${said(id)} is there twice`));
    places.set(id, i);
  }
  /** By place: how many steps it still waits for, and which ones wait for it. */
  const waiting: number[] = [];
  const followers = steps.map((): number[] => []);
  for (const [i, { id, depends_on = [] }] of steps.entries()) {
    const needs = new Set(depends_on);
    for (const need of needs) {
      const place = places.get(need);
      if (place === undefined) {
        const why = `step ${said(id)} depends on ${said(need)}, and there is no such step`;
        return err(new PlanError('unknown_dependency', id, `steps.${i}.depends_on`, why));
      }
      followers[place]?.push(i);
    }
    waiting.push(needs.size);
  }
  const order: PlanStep[] = [];
  const done = new Set<number>();
  for (;;) {
    const next = steps.findIndex((_step, i) => !done.has(i) && waiting[i] === 0);
    const step = steps[next];
    if (step === undefined) break;
    done.add(next);
    order.push(step);
    for (const follower of followers[next] ?? []) waiting[follower] = (waiting[follower] ?? 0) - 1;
  }
  if (order.length === steps.length) return ok(order);
  const circle = circleIn(steps, places, done);
  const first = circle[0] ?? '';
  const why = `step ${said(first)} waits for itself: ${[...circle, first].map(said).join(' -> ')}`;
  return err(new PlanError('cycle', first, `steps.${places.get(first) ?? 0}.depends_on`, why));
}

/** Some steps that wait for each other, in the order in which they do. */
function circleIn(
  steps: readonly PlanStep[],
  places: ReadonlyMap<string, number>,
  done: ReadonlySet<number>,
): readonly string[] {
  const way: string[] = [];
  let at = steps.findIndex((_step, i) => !done.has(i));
  // Whatever is not done waits for something that is not done: following that leads into a circle.
  for (let step = steps[at]; step !== undefined && !way.includes(step.id); step = steps[at]) {
    way.push(step.id);
    const need = (step.depends_on ?? []).find((id) => !done.has(places.get(id) ?? -1));
    at = places.get(need ?? '') ?? -1;
  }
  return way.slice(way.indexOf(steps[at]?.id ?? ''));
}

const said = (id: string): string => JSON.stringify(id);
