// A workflow of two steps and the workers for them, with handles for tests: what was run, and when it may go on.
import { z } from 'zod';
import { defineTask, defineWorkflow } from '#core/workflow/definition.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../../../services/worker/define.ts';

export const topics = ['job.first', 'job.second'] as const;
const numbered = z.object({ n: z.number() });

/** The tasks of the two workers below. */
export const tasks = {
  first: defineTask({ topic: 'job.first', input: z.looseObject({ n: z.number() }), output: numbered }),
  second: defineTask({ topic: 'job.second', input: z.looseObject({ n: z.number() }), output: numbered }),
};

/** Adds one in each step; the second step gets the pointer of the first as well. */
export const flow = defineWorkflow({
  name: 'two',
  topic: 'job.workflow.two',
  input: numbered,
  output: z.object({ n: z.number(), first: z.string(), second: z.string() }),
  *run({ n }, w) {
    w.progress(10, 'first');
    const first = yield* w.run('first', tasks.first, { n });
    const second = yield* w.run('second', tasks.second, { n: first.value.n, from: first.pointer });
    return { n: second.value.n, first: first.pointer, second: second.pointer };
  },
});

export interface Ran {
  readonly id: string;
  readonly input: unknown;
  readonly context: JobContext;
}

export interface Steps {
  readonly workers: readonly WorkerDefinition[];
  /** Every handler that was started, in order, by topic. */
  readonly ran: Readonly<Record<(typeof topics)[number], Ran[]>>;
  /** What handlers do before they answer. */
  before: (topic: string, ran: Ran) => unknown;
}

export function makeSteps(): Steps {
  const ran: Steps['ran'] = { 'job.first': [], 'job.second': [] };
  const steps: Steps = {
    ran,
    before: () => undefined,
    workers: topics.map((topic) =>
      defineWorker({
        topic,
        pool: topic.slice(4),
        parallel: 8,
        input: z.looseObject({ n: z.number() }),
        async handle(input, context) {
          const one = { id: context.job.id, input, context };
          ran[topic].push(one);
          await steps.before(topic, one);
          return { n: input.n + 1 };
        },
      }),
    ),
  };
  return steps;
}

/** Waits for the signal of a job and throws its reason, as a handler does that heeds it. */
export function untilStopped({ signal }: JobContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
