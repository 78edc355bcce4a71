// What the CLI reads of a run of a workflow, and how a person reads it.
import { z } from 'zod';
import type { Output } from './output.ts';
import { paintState } from './show-job.ts';
import { type Column, table } from './table.ts';
import { counted, duration, oneLine } from './text.ts';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

const attempt = z.object({
  job_id: text,
  state: text,
  started_at: text,
  ended_at: text,
  error_code: text,
  error_message: text,
  dropped: flag,
});
const step = z.object({
  key: z.string(),
  topic: text,
  state: text,
  kept: flag,
  attempts: z.array(attempt).default([]),
});
type Step = z.infer<typeof step>;

export const runDetail = z.object({
  id: z.string(),
  workflow: text,
  version: text,
  topic: text,
  state: z.string(),
  error_code: text,
  error_message: text,
  rerun_of: z.object({ id: z.string(), from: text }).nullish(),
  steps: z.array(step).default([]),
  waiting_for: z
    .object({
      signals: z.array(z.string()).default([]),
      sleeps: z.array(z.object({ key: z.string(), until: text })).default([]),
    })
    .default({ signals: [], sleeps: [] }),
  signals: z.array(z.object({ name: z.string(), at: text, refused: text })).default([]),
  undoing: z.object({ code: text, message: text }).nullish(),
});
export type RunDetail = z.infer<typeof runDetail>;

export const signalled = z.object({ id: z.string(), signal: z.string() });
export const rerun = z.object({ job_id: z.string(), trace_id: text, kept: z.array(z.string()).default([]) });

/** Where the routes of one run are. */
export function runPath(id: string): string {
  return `/api/v1/workflows/${encodeURIComponent(id)}`;
}

/** How far a run is: its steps, what it waits for, why it failed. */
export function showRun(run: RunDetail, out: Output): void {
  const version = run.version === '' ? '' : ` (version ${oneLine(run.version)})`;
  out.print(`${out.paint('dim', 'run  ')} ${oneLine(run.id)} ${oneLine(run.workflow || run.topic)}${version}`);
  out.print(`${out.paint('dim', 'state')} ${paintState(out, oneLine(run.state))}`);
  const problem = [run.error_code, run.error_message].filter((part) => part !== '').join(': ');
  if (problem !== '') out.print(oneLine(problem));
  if (run.rerun_of) {
    const from = run.rerun_of.from === '' ? '' : ` from ${oneLine(run.rerun_of.from)}`;
    out.print(`a rerun of ${oneLine(run.rerun_of.id)}${from}`);
  }
  if (run.steps.length > 0)
    out.print('', ...table(columns(out), run.steps, out.width, (title) => out.paint('bold', title)));
  const { signals, sleeps } = run.waiting_for;
  const waits = [
    ...signals.map((name) => `waits for the signal ${oneLine(name)}`),
    ...sleeps.map(({ key, until }) => `sleeps (${oneLine(key)}) until ${oneLine(until)}`),
    ...run.signals.flatMap(({ name, refused }) =>
      refused === '' ? [] : [`refused a signal ${oneLine(name)}: ${oneLine(refused)}`],
    ),
    ...(run.undoing ? [`is undone: ${oneLine(run.undoing.message)}`] : []),
  ];
  if (waits.length > 0) out.print('', ...waits);
}

function columns(out: Output): readonly Column<Step>[] {
  const last = ({ attempts }: Step) => attempts.at(-1);
  return [
    { title: 'STEP', value: (one) => oneLine(one.key), least: 12 },
    { title: 'STATE', value: (one) => oneLine(stateOf(one)), style: (cell, one) => paintState(out, cell, one.state) },
    { title: 'TOOK', value: tookOf, align: 'right' },
    {
      title: 'TRIES',
      value: ({ attempts }) => (attempts.length > 1 ? counted(attempts.length, 'try', 'tries') : ''),
      spare: 2,
    },
    { title: 'TOPIC', value: (one) => oneLine(one.topic), least: 12, spare: 1 },
    { title: 'JOB', value: (one) => oneLine(last(one)?.job_id ?? ''), spare: 3 },
    { title: 'WHY', value: (one) => oneLine(last(one)?.error_message || (last(one)?.error_code ?? '')), least: 16 },
  ];
}

function stateOf({ state, kept, attempts }: Step): string {
  if (kept) return `${state}, kept`;
  if (attempts.at(-1)?.dropped === true) return 'dropped';
  return state === '' ? 'asked for' : state;
}

function tookOf({ attempts }: Step): string {
  const [first, last] = [attempts[0], attempts.at(-1)];
  const ms = Date.parse(last?.ended_at ?? '') - Date.parse(first?.started_at ?? '');
  return Number.isNaN(ms) ? '' : duration(ms);
}
