// cortex trace: all jobs that came of one submission, children below their parents.
import { type Command, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { jobList, type JobSummary } from '../job.ts';
import { jobTable } from '../show-job.ts';
import { oneLine } from '../text.ts';

export const trace: Command = {
  name: 'trace',
  summary: 'list the jobs of a trace',
  operands: ['ID'],
  options: { ...gatewayOptions },
  async run(context) {
    const { args, out, now } = context;
    const id = args.operand(0) ?? '';
    const path = `/api/v1/traces/${encodeURIComponent(id)}`;
    const { text, value } = await context.client().call({ path, schema: jobList });
    const ordered = inTree(value);
    if (args.flag('json')) out.json(text);
    else if (ordered.length > 0) {
      const depths = new Map(ordered.map(({ job, depth }) => [job, depth]));
      const jobs = ordered.map(({ job }) => job);
      out.print(...jobTable(jobs, out, now(), (job) => depths.get(job) ?? 0));
    }
    if (ordered.length > 0) return exit.ok;
    out.note(`no job has the trace ${oneLine(id)}`);
    return exit.notFound;
  },
};

/** Parents before their children, each with its distance from the top; otherwise in the given order, which is that of creation. */
export function inTree(jobs: readonly JobSummary[]): readonly { readonly job: JobSummary; readonly depth: number }[] {
  const ids = new Set(jobs.map((job) => job.id));
  const placed = new Set<string>();
  const below = (job: JobSummary, depth: number): { job: JobSummary; depth: number }[] => {
    if (placed.has(job.id)) return [];
    placed.add(job.id);
    const children = jobs.filter((other) => other.parent_job_id === job.id);
    return [{ job, depth }, ...children.flatMap((child) => below(child, depth + 1))];
  };
  const tops = jobs.filter((job) => !ids.has(job.parent_job_id));
  // The second round is for a circle of parents, which only a foreign client can make.
  return [...tops.flatMap((job) => below(job, 0)), ...jobs.flatMap((job) => below(job, 0))];
}
