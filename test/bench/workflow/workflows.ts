// What `npm run bench -- workflow` runs: three steps one after the other, and very many side by side. The steps do nothing.
import { z } from 'zod';
import { defineTask, defineWorkflow } from '#core/workflow/definition.ts';

const echo = defineTask({ topic: 'job.echo', input: z.unknown(), output: z.object({ job_id: z.string() }) });

const three = defineWorkflow({
  name: 'bench_three',
  topic: 'job.workflow.bench_three',
  input: z.unknown(),
  output: z.object({ last: z.string() }),
  *run(_, w) {
    yield* w.run('one', echo, { n: 1 });
    yield* w.run('two', echo, { n: 2 });
    const { value } = yield* w.run('three', echo, { n: 3 });
    return { last: value.job_id };
  },
});

const many = defineWorkflow({
  name: 'bench_many',
  topic: 'job.workflow.bench_many',
  input: z.object({ steps: z.int(), limit: z.int() }),
  output: z.object({ done: z.int() }),
  *run({ steps, limit }, w) {
    const items = Array.from({ length: steps }, (_, i) => i);
    const done = yield* w.map(items, { limit }, (n) => w.run(`s-${n}`, echo, { n }));
    return { done: done.length };
  },
});

export default [three, many];
