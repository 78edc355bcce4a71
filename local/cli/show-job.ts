// One job, or many, as a person reads them.
import { reviewTopic, showReport } from './show-report.ts';
import type { JobDetail, JobSummary } from './job.ts';
import type { Output, Style } from './output.ts';
import { type Column, table } from './table.ts';
import { age, counted, duration, oneLine, visible, wrap } from './text.ts';

const stateStyles: ReadonlyMap<string, Style> = new Map([
  ['SUCCEEDED', 'green'],
  ['FAILED', 'red'],
  ['TIMEOUT', 'red'],
  ['DENIED', 'red'],
  ['CANCELLED', 'yellow'],
]);

export function paintState(out: Output, text: string, state = text): string {
  return out.paint(stateStyles.get(state) ?? 'cyan', text);
}

/** Jobs as a table. `now` is unix ms; `depth` indents the children of a trace. */
export function jobTable(
  jobs: readonly JobSummary[],
  out: Output,
  now: number,
  depth?: (job: JobSummary) => number,
): string[] {
  const columns: readonly Column<JobSummary>[] = [
    { title: 'JOB', value: (job) => oneLine(job.id) },
    { title: 'STATE', value: (job) => oneLine(job.state), style: (text, job) => paintState(out, text, job.state) },
    { title: 'TOPIC', value: (job) => `${'  '.repeat(depth?.(job) ?? 0)}${oneLine(job.topic)}`, least: 12 },
    {
      title: 'AGE',
      value: (job) => (job.updated_at === 0 ? '' : age(now - job.updated_at * 1_000)),
      align: 'right',
    },
    { title: 'WORKER', value: (job) => oneLine(job.worker_id), least: 10, spare: 1 },
    { title: 'WHY', value: (job) => oneLine(whyOf(job)), least: 16, spare: 2 },
  ];
  return table(columns, jobs, out.width, (title) => out.paint('bold', title));
}

function whyOf({ state, error_code: code, safety_reason: reason }: JobSummary): string {
  if (code !== '') return code;
  return state === 'PENDING' || state === 'DENIED' ? reason : '';
}

/** Everything about one job, its result last. */
export function showJob(job: JobDetail, out: Output): void {
  const facts: readonly (readonly [string, string])[] = [
    ['job', oneLine(job.id)],
    ['state', paintState(out, oneLine(job.state)) + (tookOf(job) === '' ? '' : ` in ${tookOf(job)}`)],
    ['error', oneLine([job.error_code, job.error_message].filter((text) => text !== '').join(': '))],
    ['topic', oneLine(job.topic)],
    ['tenant', oneLine(job.tenant)],
    ['principal', oneLine(job.principal_id)],
    ['trace', oneLine(job.trace_id)],
    ['parent', oneLine(job.parent_job_id)],
    ['safety', safetyOf(job)],
    [
      'worker',
      oneLine(job.worker_id) + (job.worker_id === '' || job.pool === '' ? '' : ` (pool ${oneLine(job.pool)})`),
    ],
    ['tries', triesOf(job)],
    [
      'progress',
      job.progress === undefined || job.ended_at !== ''
        ? ''
        : oneLine(`${job.progress.percent}% ${job.progress.message}`.trim()),
    ],
    ['created', localTime(job.created_at)],
    ['started', localTime(job.started_at)],
    ['ended', localTime(job.ended_at)],
    ['deadline', job.ended_at === '' ? localTime(job.deadline_at) : ''],
    ['result at', oneLine(job.result_ptr)],
    ['artifacts', oneLine(job.artifact_ptrs.join(' '))],
  ];
  const label = 11;
  for (const [name, text] of facts) {
    if (text === '') continue;
    const lines = wrap(text, out.width - label);
    out.print(...lines.map((line, i) => out.paint('dim', (i === 0 ? name : '').padEnd(label)) + line));
  }
  if (job.result === null || job.result === undefined) return;
  out.print('');
  showResult(job, out);
}

/** How a job that was waited for ended, and what came of it. */
export function showOutcome(job: JobDetail, out: Output): void {
  out.print(`${out.paint('dim', 'job  ')} ${oneLine(job.id)}`);
  showEnd(job, out);
}

/** The same for one whose id was told when the wait began. */
export function showEnd(job: JobDetail, out: Output): void {
  const { error_code: code, error_message: message, safety_reason: reason, state } = job;
  const took = tookOf(job) === '' ? '' : ` in ${tookOf(job)}`;
  const where = job.worker_id === '' ? '' : ` on ${oneLine(job.worker_id)}`;
  out.print(`${out.paint('dim', 'state')} ${paintState(out, oneLine(state))}${took}${where}`);
  const problem = [code, message].filter((text) => text !== '').join(': ') || (state === 'DENIED' ? reason : '');
  if (problem !== '') out.print(visible(problem));
  const answer = answerOf(job.result);
  if (answer !== undefined) out.print('', visible(answer));
  else if (job.result !== null && job.result !== undefined) {
    out.print('');
    showResult(job, out);
  }
}

/** A result: a review as its report, text as text, anything else as JSON. */
export function showResult({ topic, result }: JobDetail, out: Output): void {
  if (result === null || result === undefined) return;
  if (reviewTopic.test(topic) && showReport(result, out)) return;
  out.print(visible(typeof result === 'string' ? result : JSON.stringify(result, null, 2)));
}

/** What a chat answered, without what surrounds it. */
function answerOf(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null || !('response' in result)) return undefined;
  return typeof result.response === 'string' && result.response !== '' ? result.response : undefined;
}

function safetyOf({ safety_decision: decision, safety_reason: reason, rule }: JobDetail): string {
  const by = rule === '' ? '' : ` (rule ${rule})`;
  return oneLine(`${decision}${by}${reason === '' ? '' : `${decision === '' ? '' : ': '}${reason}`}`);
}

function triesOf({ attempts, failures, losses }: JobDetail): string {
  if (attempts < 2 && failures + losses === 0) return '';
  const parts = [counted(attempts, 'attempt')];
  if (failures > 0) parts.push(`${failures} failed`);
  if (losses > 0) parts.push(`${losses} lost with their workers`);
  return parts.join(', ');
}

/** From acceptance to the end. */
function tookOf({ created_at: created, ended_at: ended }: JobDetail): string {
  const ms = Date.parse(ended) - Date.parse(created);
  return Number.isNaN(ms) ? '' : duration(ms);
}

/** `2026-01-02 03:04:05.678` where this machine is. */
function localTime(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return '';
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 23).replace('T', ' ');
}
