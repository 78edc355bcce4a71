// Random workflows: a tree of operations, made into a generator, with what it must come to when its steps end as a plan says. The model
// does not know the machine: it works out the result from the tree and the order in which things happen.
import * as fc from 'fast-check';
import { z } from 'zod';
import { CortexError, toCortexError } from '#core/errors.ts';
import {
  defineTask,
  defineWorkflow,
  type Op,
  type WorkflowContext,
  type WorkflowDefinition,
} from '#core/workflow/definition.ts';

export type Tree =
  | { readonly op: 'run'; readonly retries: number; readonly go: boolean; readonly below?: boolean }
  | { readonly op: 'sleep' }
  | { readonly op: 'signal'; readonly name: string }
  | { readonly op: 'seq' | 'all' | 'race'; readonly of: readonly Tree[] }
  | { readonly op: 'map'; readonly limit: number; readonly of: readonly Tree[] }
  | { readonly op: 'timeout' | 'try' | 'undo'; readonly of: Tree };

/** Trees of a bounded size. */
export const anyTree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; leaf: Tree }>((tie) => ({
  leaf: fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        op: fc.constant('run' as const),
        retries: fc.integer({ min: 0, max: 2 }),
        go: fc.boolean(),
        below: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('sleep' as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('signal' as const), name: fc.constantFrom('a', 'b') }) },
  ),
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.record({ op: fc.constantFrom('seq' as const, 'all' as const), of: fc.array(tie('tree'), { maxLength: 4 }) }),
    fc.record({ op: fc.constant('race' as const), of: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
    fc.record({
      op: fc.constant('map' as const),
      limit: fc.integer({ min: 1, max: 3 }),
      of: fc.array(tie('tree'), { maxLength: 5 }),
    }),
    fc.record({ op: fc.constantFrom('timeout' as const, 'try' as const, 'undo' as const), of: tie('tree') }),
  ),
})).tree;

/** What the definition is changed by, for tests of the change's discovery. */
export interface Change {
  readonly key: string;
  readonly topic?: string;
  readonly input?: unknown;
}

export const task = (topic: string) => defineTask({ topic, input: z.unknown(), output: z.unknown() });

/** The workflow of a tree: its result is the list of everything that its leaves gave, in the tree's shape. */
export function workflowOf(tree: Tree, change?: Change): WorkflowDefinition {
  return defineWorkflow({
    ...{ name: 'random', topic: 'job.workflow.random', input: z.unknown(), output: z.unknown() },
    run: (_, w) => build(tree, 'k', w, change),
  });
}

function* build(tree: Tree, key: string, w: WorkflowContext, change: Change | undefined): Op<unknown> {
  const sub = (one: Tree, i: number): Op<unknown> => build(one, `${key}-${i}`, w, change);
  switch (tree.op) {
    case 'run': {
      const mine = change?.key === key ? change : undefined;
      const policy = { maxRetries: tree.retries, ...(tree.go && { onFailure: 'continue' as const }) };
      // A run below this one is told to stop where another step is dropped.
      const topic = tree.below === true ? 'job.workflow.below' : 'job.step';
      const done = yield* w.run(key, task(mine?.topic ?? topic), mine?.input ?? { key }, policy);
      return done === undefined ? `${key} went on` : done.value;
    }
    case 'sleep':
      yield* w.sleep(key, 5000);
      return `${key} slept`;
    case 'signal':
      return yield* w.signal(tree.name, z.unknown());
    case 'seq': {
      const out: unknown[] = [];
      for (const [i, one] of tree.of.entries()) out.push(yield* sub(one, i));
      return out;
    }
    case 'all':
      return yield* w.all(tree.of.map(sub));
    case 'race': {
      const won = yield* w.race(Object.fromEntries(tree.of.map((one, i) => [`r${i}`, sub(one, i)])));
      return { [won.name]: won.value };
    }
    case 'map':
      return yield* w.map(tree.of, { limit: tree.limit }, sub);
    case 'timeout':
      return yield* w.timeout(`${key}-t`, 4000, sub(tree.of, 0));
    case 'try':
      try {
        return yield* sub(tree.of, 0);
      } catch (error) {
        if (!(error instanceof CortexError)) throw error;
        return `caught ${toCortexError(error).code}`;
      }
    case 'undo': {
      const value = yield* sub(tree.of, 0);
      w.compensate(function* () {
        yield* w.run(`${key}-u`, task('job.undo'), { key });
      });
      return value;
    }
  }
}
