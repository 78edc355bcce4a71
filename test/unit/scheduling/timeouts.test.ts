// config/timeouts.yaml: what is read, what is filled in, and every slip with the name of its field.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { limitsOf, parseTimeouts, type Timeouts } from '#core/scheduling/timeouts.ts';

const read = (yaml: string): Timeouts => {
  const timeouts = parseTimeouts(parse(yaml));
  if (!timeouts.ok) throw new Error(timeouts.error.join('; '));
  return timeouts.value;
};

test('the shipped file says what the contract says', () => {
  const timeouts = read(readFileSync('config/timeouts.yaml', 'utf8'));
  expect(timeouts.workflows.get('repo_code_review')).toEqual({
    ...{ childTimeoutMs: 240_000, totalTimeoutMs: 1_800_000, maxRetries: 1 },
  });
  expect(timeouts.topics.get('job.repo.tests')).toEqual({ timeoutMs: 600_000, maxRetries: 0 });
  expect(timeouts.topics.size).toBe(7);
  expect([timeouts.dispatchTimeoutMs, timeouts.runningTimeoutMs, timeouts.scanIntervalMs]).toEqual([
    120_000, 300_000, 30_000,
  ]);
});

test('an empty file means the built-in values, each section as a whole', () => {
  const builtIn = read('');
  expect(builtIn.workflows.get('code_review_demo')).toEqual({
    ...{ childTimeoutMs: 180_000, totalTimeoutMs: 600_000, maxRetries: 1 },
  });
  expect(builtIn.topics.get('job.code.llm')).toEqual({ timeoutMs: 120_000, maxRetries: 0 });
  expect(builtIn.topics.get('job.chat.simple')).toEqual({ timeoutMs: 60_000, maxRetries: 0 });
  expect([builtIn.dispatchTimeoutMs, builtIn.runningTimeoutMs, builtIn.scanIntervalMs]).toEqual([
    120_000, 300_000, 30_000,
  ]);
  const some = read('topics: {job.a: {timeout_seconds: 0.5, max_retries: 3}}');
  expect(some.topics).toEqual(new Map([['job.a', { timeoutMs: 500, maxRetries: 3 }]]));
  expect(some.workflows).toEqual(builtIn.workflows);
  expect(read('reconciler: {running_timeout_seconds: 7}')).toMatchObject({
    ...{ runningTimeoutMs: 7_000, dispatchTimeoutMs: 120_000, scanIntervalMs: 30_000 },
  });
});

test.each([
  ["a topic's own", 'job.a', { timeoutMs: 5_000, maxRetries: 2 }],
  ['without its own time: the running time-out, and its own retries', 'job.b', { timeoutMs: 9_000, maxRetries: 4 }],
  ['not listed: the running time-out, no retries', 'job.c', { timeoutMs: 9_000, maxRetries: 0 }],
  [
    "a workflow's topic: its total, and a step's time to undo",
    'job.workflow.demo',
    { timeoutMs: 70_000, maxRetries: 0 },
  ],
  ['a workflow by its own name', 'job.workflow.my.flow', { timeoutMs: 27_000, maxRetries: 0 }],
  ['a workflow that has no section', 'job.workflow.repo.code_review', { timeoutMs: 2_040_000, maxRetries: 0 }],
])('limits: %s', (_name, topic, limits) => {
  const timeouts = read(`
workflows:
  code_review_demo: {child_timeout_seconds: 10, total_timeout_seconds: 60}
  my_flow: {child_timeout_seconds: 7, total_timeout_seconds: 20}
topics: {job.a: {timeout_seconds: 5, max_retries: 2}, job.b: {max_retries: 4}}
reconciler: {running_timeout_seconds: 9}`);
  expect(limitsOf(timeouts, topic)).toEqual(limits);
});

test.each([
  ['[]', /must be an object/],
  ['topic: {}', /topic/],
  ['topics: {code.llm: {timeout_seconds: 1}}', /^topics\.code\.llm: has a wrong name: must be the full name/],
  ['topics: {job.a: 5}', /^topics\.job\.a: /],
  ['topics: {job.a: {timeout: 5}}', /^topics\.job\.a\.timeout: is not a known field/],
  ['topics: {job.a: {timeout_seconds: 0}}', /^topics\.job\.a\.timeout_seconds: /],
  ['topics: {job.a: {timeout_seconds: -1}}', /^topics\.job\.a\.timeout_seconds: /],
  ['topics: {job.a: {timeout_seconds: "5"}}', /^topics\.job\.a\.timeout_seconds: /],
  ['topics: {job.a: {timeout_seconds: .inf}}', /^topics\.job\.a\.timeout_seconds: /],
  ['topics: {job.a: {timeout_seconds: 1e9}}', /^topics\.job\.a\.timeout_seconds: /],
  ['topics: {job.a: {max_retries: -1}}', /^topics\.job\.a\.max_retries: /],
  ['topics: {job.a: {max_retries: 1.5}}', /^topics\.job\.a\.max_retries: /],
  ['topics: {job.a: {max_retries: 101}}', /^topics\.job\.a\.max_retries: /],
  ['workflows: {w: {total_timeout_seconds: 1}}', /^workflows\.w\.child_timeout_seconds: /],
  [
    'workflows: {w: {child_timeout_seconds: 1, total_timeout_seconds: 1, retries: 1}}',
    /^workflows\.w\.retries: is not a known field/,
  ],
  ['reconciler: {dispatch_timeout_seconds: 0}', /^reconciler\.dispatch_timeout_seconds: /],
  ['reconciler: {running_timeout_seconds: x}', /^reconciler\.running_timeout_seconds: /],
  ['reconciler: {scan_interval_seconds: null}', /^reconciler\.scan_interval_seconds: /],
  ['reconciler: {interval: 1}', /^reconciler\.interval: is not a known field/],
])('%s is refused', (yaml, problem) => {
  const timeouts = parseTimeouts(parse(yaml));
  expect(timeouts.ok).toBe(false);
  if (!timeouts.ok) expect(timeouts.error.join('\n')).toMatch(problem);
});
