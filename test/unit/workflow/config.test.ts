// The orchestrator's environment and its file of time-outs.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EnvError, parseEnv } from '#core/process/env.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { orchestratorEnv, parseTimeoutsText, workerIdOf } from '../../../services/orchestrator/config.ts';
import { workflows } from '../../../services/orchestrator/index.ts';

test('the shipped file bounds every workflow there is', () => {
  const path = 'config/timeouts.yaml';
  const { workflows: limits } = parseTimeoutsText({ path, text: readFileSync(path, 'utf8') });
  const all = Object.values(workflows({ usePlanner: false, plannerTopic: 'job.workflow.plan' })).flat();
  for (const { name } of all) expect(limits.has(name), name).toBe(true);
  expect(limits.get('repo_code_review')).toEqual({ childTimeoutMs: 240_000, totalTimeoutMs: 1_800_000, maxRetries: 1 });
});

test('without a file the built-in time-outs hold', () => {
  const { workflows: limits } = parseTimeoutsText({ path: 'x.yaml', text: undefined });
  expect(limits.get('repo_code_review')?.childTimeoutMs).toBe(240_000);
});

test.each([
  ['a: [', /^x\.yaml: line 1, column 5: [^\n]*[^:]$/],
  ['workflow: {}', /^x\.yaml: workflow: is not a known field$/],
  [
    'workflows: {repo_code_review: {child_timeout_seconds: no}}',
    /^x\.yaml: workflows\.repo_code_review\.child_timeout_seconds/,
  ],
])('a file that says %s is refused with its name', (text, message) => {
  const parse = () => parseTimeoutsText({ path: 'x.yaml', text });
  expect(parse).toThrow(EnvError);
  expect(parse).toThrow(message);
});

test('the environment has defaults and names what is wrong', () => {
  expect(parseEnv(orchestratorEnv, {})).toMatchObject({ parallel: 256, timeoutsPath: 'config/timeouts.yaml' });
  const parse = () => parseEnv(orchestratorEnv, { WORKER_PARALLEL: '0', WORKER_ID: 'a b', PLANNER_TOPIC: 'plan' });
  expect(parse).toThrow(/WORKER_ID.*WORKER_PARALLEL.*PLANNER_TOPIC/);
  // Exactly `true`, as in the original.
  for (const [text, usePlanner] of [
    ['true', true],
    ['TRUE', false],
    ['1', false],
    ['', false],
  ] as const) {
    expect(parseEnv(orchestratorEnv, { USE_PLANNER: text }).usePlanner, text).toBe(usePlanner);
  }
});

test('its workers have ids of their own, or those that were given', () => {
  expect(workerIdOf('repo-orchestrator', undefined, 'some.host.example', '0a1b2c3d-00')).toBe(
    'worker-repo-orchestrator-example-0a1b2c3d',
  );
  expect(workerIdOf('repo-orchestrator', 'w7', 'h', 'r')).toBe('w7-repo-orchestrator');
  expect(isSubjectToken(workerIdOf('x', undefined, '...', 'abc'))).toBe(true);
});
