// Jobs and reports as a person reads them.
import { describe, expect, test } from 'vitest';
import { inTree } from '../../../local/cli/commands/trace.ts';
import { type JobDetail, jobDetail, jobSummary } from '../../../local/cli/job.ts';
import { jobTable, showJob, showOutcome, showResult } from '../../../local/cli/show-job.ts';
import { capture } from '../../helpers/captured.ts';

const detail = (fields: object): JobDetail => jobDetail.parse({ id: 'j1', state: 'SUCCEEDED', ...fields });

function shown(
  show: (job: JobDetail, out: ReturnType<typeof capture>['out']) => void,
  fields: object,
  columns?: number,
) {
  const captured = capture(columns === undefined ? {} : { columns, env: { NO_COLOR: '1' } });
  show(detail(fields), captured.out);
  return captured.stdout();
}

describe('one job', () => {
  test('only what is known, the result last', () => {
    const text = shown(showJob, {
      topic: 'job.echo',
      tenant: 'acme',
      safety_decision: 'ALLOW',
      rule: 'r1',
      worker_id: 'w1',
      pool: 'echo',
      attempts: 3,
      losses: 2,
      created_at: '2026-01-02T03:04:05.000Z',
      ended_at: '2026-01-02T03:04:06.500Z',
      progress: { percent: 80, message: 'nearly' },
      result: { n: 1 },
    });
    const lines = text.split('\n');
    expect(lines[1]).toBe('state      SUCCEEDED in 1.5 s');
    expect(text).toContain('safety     ALLOW (rule r1)\n');
    expect(text).toContain('worker     w1 (pool echo)\n');
    expect(text).toContain('tries      3 attempts, 2 lost with their workers\n');
    expect(text).toMatch(/\n\n\{\n {2}"n": 1\n\}\n$/);
    for (const name of ['error', 'parent', 'progress', 'started', 'deadline', 'artifacts']) {
      expect(text).not.toMatch(new RegExp(`^${name}`, 'm'));
    }
  });

  test('how far it is, until it has ended', () => {
    expect(shown(showJob, { state: 'RUNNING', progress: { percent: 80, message: 'nearly' } })).toContain(
      'progress   80% nearly\n',
    );
  });

  test('long facts go on below where they began', () => {
    const text = shown(showJob, { error_message: 'one two three four five six seven eight nine', state: 'FAILED' }, 40);
    expect(text).toContain('error      one two three four five six\n           seven eight nine\n');
  });

  test('what a worker wrote is not obeyed by the terminal', () => {
    const text = shown(
      showJob,
      { worker_id: 'w\u001b[2J', error_message: 'a\nb', result: 'x\u001b]0;title\u0007' },
      80,
    );
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
    expect(text).toContain('a\\nb');
  });
});

describe('how a job ended', () => {
  test('a chat shows its answer alone', () => {
    const text = shown(showOutcome, { result: { response: 'Echo: hi', model: 'echo' }, worker_id: 'w1' });
    expect(text).toBe('job   j1\nstate SUCCEEDED on w1\n\nEcho: hi\n');
  });

  test('anything else its result, and a failure why', () => {
    expect(shown(showOutcome, { result: [1] })).toBe('job   j1\nstate SUCCEEDED\n\n[\n  1\n]\n');
    expect(shown(showOutcome, { result: 'text\nof two lines' })).toBe(
      'job   j1\nstate SUCCEEDED\n\ntext\nof two lines\n',
    );
    const failed = { state: 'FAILED', error_code: 'worker_error', error_message: 'no such file' };
    expect(shown(showOutcome, failed)).toBe('job   j1\nstate FAILED\nworker_error: no such file\n');
    expect(shown(showOutcome, { state: 'DENIED', safety_reason: 'not on Sundays' })).toBe(
      'job   j1\nstate DENIED\nnot on Sundays\n',
    );
  });
});

const report = {
  summary: 'Looked at 3 files.',
  action_required: false,
  decision: 'No blocking issues.',
  sections: [
    {
      title: 'Code Findings',
      items: [{ file_path: 'a.ts', description: 'two\nlines', severity: 'high', patch_ptr: null }],
    },
  ],
  scan_summary: {
    files: 3,
    bytes: 12_345,
    lines: 1_500,
    languages: [
      { language: 'typescript', files: 2, lines: 1_400, bytes: 12_000 },
      { language: 'markdown', files: 1, lines: 100, bytes: 345 },
    ],
    largest: [{ path: `src/${'deep/'.repeat(20)}a.ts`, language: 'typescript', bytes: 9_000, loc: 1_200 }],
    skipped: [
      { path: 'link', reason: 'symlink' },
      { path: 'big.bin', reason: 'too_large' },
    ],
    skipped_counts: { excluded: 2_000, symlink: 1 },
  },
};

describe('a review', () => {
  const topic = 'job.workflow.repo.code_review';

  test('files, languages, lines, the largest, and what was skipped and why', () => {
    const text = shown(showResult, { topic, result: report }, 80);
    expect(text.split('\n')[0]).toBe('3 files, 1,500 lines, 12 kB');
    expect(text).toMatch(/^ {2}typescript +2 files +1,400 lines +12 kB +#{24}$/m);
    expect(text).toMatch(/^ {2}markdown +1 file +100 lines +345 B +##$/m);
    expect(text).toMatch(/^ +9\.0 kB +1,200 lines +….*deep\/a\.ts/m);
    expect(text).toContain('Left out: 2,002\n');
    expect(text).toMatch(/^ {2}2,000 {2}excluded$/m);
    expect(text).toMatch(/^ +1 {2}symlink +link$/m);
    expect(text).toMatch(/^ +1 {2}too large +big\.bin$/m);
    expect(text).toContain('  high a.ts\n    two\n    lines\n');
    expect(text).toContain('\nLooked at 3 files.\nNo blocking issues.\n');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('of nothing', () => {
    const empty = { files: 0, bytes: 0, lines: 0, languages: [], largest: [], skipped: null, skipped_counts: {} };
    const text = shown(showResult, { topic, result: { ...report, sections: null, scan_summary: empty } });
    expect(text).toBe('0 files, 0 lines, 0 B\n\nLooked at 3 files.\nNo blocking issues.\n');
  });

  test('that is no report is shown as it is', () => {
    expect(shown(showResult, { topic, result: { other: 1 } })).toBe('{\n  "other": 1\n}\n');
    expect(shown(showResult, { topic: 'job.echo', result: report })).toMatch(/^\{\n {2}"summary"/);
  });
});

describe('a trace', () => {
  const job = (id: string, parent = '') =>
    jobSummary.parse({ id, state: 'RUNNING', parent_job_id: parent, topic: `t.${id}` });

  test('children stand below their parents, brothers and sisters in the order given', () => {
    const tree = inTree([job('a', 'elsewhere'), job('c', 'a'), job('e'), job('b', 'a'), job('d', 'c')]);
    expect(tree.map(({ job: { id }, depth }) => `${depth}${id}`)).toEqual(['0a', '1c', '2d', '1b', '0e']);
  });

  test('a circle of parents loses nobody', () => {
    expect(inTree([job('a', 'b'), job('b', 'a'), job('c', 'c')]).map(({ job: { id } }) => id)).toEqual(['a', 'b', 'c']);
  });

  test('the table indents topics', () => {
    const depths = new Map([
      ['a', 0],
      ['b', 1],
    ]);
    const jobs = [job('a'), job('b', 'a')];
    const lines = jobTable(jobs, capture().out, 0, ({ id }) => depths.get(id) ?? 0);
    expect(lines).toEqual(['JOB  STATE    TOPIC', 'a    RUNNING  t.a', 'b    RUNNING    t.b']);
  });
});
