// Workflows of the tests with real processes; WORKFLOWS_PATH names this file.
import { z } from 'zod';
import { defineTask, defineWorkflow } from '#core/workflow/definition.ts';

const echo = defineTask({
  topic: 'job.echo',
  input: z.unknown(),
  output: z.object({ job_id: z.string(), received_ctx: z.unknown() }),
});

/** Steps one after the other, each with some side by side, until a signal says that it is enough. */
const long = defineWorkflow({
  ...{ name: 'long', topic: 'job.workflow.long', input: z.object({ rounds: z.int() }) },
  output: z.object({ ids: z.array(z.string()), said: z.number() }),
  *run({ rounds }, w) {
    const ids: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const some = yield* w.map([0, 1, 2], { limit: 2 }, (n) => w.run(`r-${round}-${n}`, echo, { round, n }));
      ids.push(...some.map(({ value }) => value.job_id));
      yield* w.sleep(`s-${round}`, 1000);
    }
    return { ids, said: yield* w.signal('enough', z.number()) };
  },
});

const many = defineWorkflow({
  name: 'many',
  topic: 'job.workflow.many',
  input: z.object({ steps: z.int() }),
  output: z.object({ done: z.int(), last: z.unknown() }),
  *run({ steps }, w) {
    const items = Array.from({ length: steps }, (_, i) => i);
    const done = yield* w.map(items, { limit: 64 }, (n) => w.run(`s-${n}`, echo, { n }));
    return { done: done.length, last: done.at(-1)?.value.received_ctx };
  },
});

export default [long, many];
