// Names that processes must agree on: ids, pointers, subjects, topics, states, priorities, hand-out headers.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { states } from '#core/jobs/state.ts';
import { readHandOut, writeHandOut } from '#core/protocol/hand-out.ts';
import { isId } from '#core/protocol/ids.ts';
import { formatPointer, parsePointer } from '#core/protocol/pointer.ts';
import { priorityFromName, priorityRank, stateOfStatus, statusOfState } from '#core/protocol/status.ts';
import {
  boundTenant,
  isDirect,
  isSubjectToken,
  isTopic,
  jobOutput,
  submitFor,
  subjects,
  tenantEvents,
  workerJobs,
} from '#core/protocol/subjects.ts';
import { unwrap } from '#core/result.ts';
import { JobPriority, JobStatus, JobStatusSchema } from '#proto/cortex/agent/v1/job_pb.ts';

test('ids', () => {
  for (const id of ['a', 'A.b_c-9', '.', 'x'.repeat(128)]) expect(isId(id), id).toBe(true);
  for (const id of ['', ' ', 'a b', 'a:b', 'a/b', 'a*', 'a>', 'a\n', '\na', 'é', 'x'.repeat(129)])
    expect(isId(id), id).toBe(false);
});

describe('pointers', () => {
  test.each([
    ['redis://ctx:1', 'ctx:1'],
    ['redis://res:1-repo-archive', 'res:1-repo-archive'],
    ['redis://ctx/1', 'ctx:1'],
    ['redis://res/1', 'res:1'],
    ['redis://res/a/b', 'res:a/b'],
    ['redis://other/1', 'other/1'],
    ['redis://redis://x', 'redis://x'],
  ])('%s names %s', (text, key) => {
    expect(unwrap(parsePointer(text))).toBe(key);
  });

  test.each([
    '',
    'ctx:1',
    'redis:/ctx:1',
    'REDIS://ctx:1',
    ' redis://ctx:1',
    'redis://',
    'redis://ctx/',
    'redis://res/',
  ])('%j is refused, and the field is named', (text) => {
    const result = parsePointer(text, 'context_ptr');
    expect(result).toMatchObject({ ok: false, error: { code: 'invalid_argument', field: 'context_ptr' } });
  });

  test('what is formatted, is read back', () => {
    expect(formatPointer('ctx:1')).toBe('redis://ctx:1');
    expect(unwrap(parsePointer(formatPointer('res:1')))).toBe('res:1');
    expect(() => formatPointer('')).toThrow('key');
  });
});

describe('subjects', () => {
  test('are what the outside listens on', () => {
    expect(subjects).toMatchObject({
      submit: 'sys.job.submit',
      result: 'sys.job.result',
      progress: 'sys.job.progress',
      cancel: 'sys.job.cancel',
      heartbeat: 'sys.heartbeat',
      alert: 'sys.alert',
    });
    expect(submitFor('acme.com')).toBe('sys.job.submit.acme.com');
    expect(workerJobs('worker-echo-1')).toBe('worker.worker-echo-1.jobs');
    expect(tenantEvents('default')).toBe('cortex.ev.default');
    expect(jobOutput('default', 'job.1')).toBe('cortex.out.default.job.1');
  });

  test('a submit subject binds its tenant, the open one none', () => {
    expect(boundTenant(submitFor('acme.com'))).toBe('acme.com');
    expect(boundTenant(subjects.submit)).toBeUndefined();
    expect(boundTenant(subjects.result)).toBeUndefined();
  });

  test.each(['', '*', '>', 'a.>', 'a b', 'a\tb', '.a', 'a.', 'a..b', 'x'.repeat(129)])(
    '%j stands in no subject',
    (text) => {
      expect(isSubjectToken(text)).toBe(false);
      expect(() => submitFor(text)).toThrow(/^tenant: /);
      expect(() => tenantEvents(text)).toThrow(/^tenant: /);
      expect(() => jobOutput(text, 'j')).toThrow(/^tenant: /);
      expect(() => jobOutput('t', text)).toThrow(/^job_id: /);
      expect(() => workerJobs(text)).toThrow(/^worker_id: /);
    },
  );

  test('no two ids share a subject', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/).filter(isSubjectToken);
    fc.assert(
      fc.property(
        id,
        id,
        (a, b) =>
          a === b ||
          (workerJobs(a) !== workerJobs(b) && submitFor(a) !== submitFor(b) && tenantEvents(a) !== tenantEvents(b)),
      ),
    );
  });

  test('topics', () => {
    for (const topic of ['job.echo', 'job.workflow.repo.code_review', 'job.a/b', 'job.\ud83d\ude00'])
      expect(isTopic(topic), topic).toBe(true);
    for (const topic of [
      '',
      'job',
      'job.',
      'job.*',
      'job.>',
      'job..a',
      'job.a.',
      'job.a b',
      'job.a\r\nb',
      'job.a\ud800',
      'job.\udc00b',
      'sys.job.result',
      'jobs.a',
      `job.${'x'.repeat(200)}`,
    ]) {
      expect(isTopic(topic), topic).toBe(false);
    }
  });

  test('a worker of our own is known by its label alone', () => {
    expect(isDirect({ 'cortex.dispatch': 'direct' })).toBe(true);
    expect(isDirect({ 'cortex.dispatch': 'queue' })).toBe(false);
    expect(isDirect({})).toBe(false);
    expect(isDirect(Object.create({ 'cortex.dispatch': 'direct' }) as Record<string, string>)).toBe(false);
  });
});

describe('states', () => {
  test('every state has a status, and every status but UNSPECIFIED names the state of the same name', () => {
    for (const value of JobStatusSchema.values) {
      const name = value.name.replace('JOB_STATUS_', '');
      expect(stateOfStatus(value.number as JobStatus), name).toBe(name === 'UNSPECIFIED' ? undefined : name);
    }
    for (const state of states) {
      if (state === 'AWAITING_APPROVAL') expect(statusOfState(state)).toBe(JobStatus.PENDING);
      else expect(stateOfStatus(statusOfState(state))).toBe(state);
    }
  });

  test('a status from a newer protocol names no state', () => {
    expect(stateOfStatus(77 as JobStatus)).toBeUndefined();
  });
});

describe('priorities', () => {
  test('names in any case; anything else is interactive', () => {
    expect(priorityFromName('BATCH')).toBe(JobPriority.BATCH);
    expect(priorityFromName('Critical')).toBe(JobPriority.CRITICAL);
    expect(priorityFromName('interactive')).toBe(JobPriority.INTERACTIVE);
    for (const name of ['', 'high', ' batch']) expect(priorityFromName(name)).toBe(JobPriority.INTERACTIVE);
  });

  test('critical is served before interactive, interactive before batch, unknown like interactive', () => {
    expect([JobPriority.CRITICAL, JobPriority.INTERACTIVE, JobPriority.BATCH].map(priorityRank)).toEqual([0, 1, 2]);
    expect([JobPriority.UNSPECIFIED, 77 as JobPriority].map(priorityRank)).toEqual([1, 1]);
  });
});

describe('hand-out headers', () => {
  const handOut = {
    fence: '17000000000001234567',
    attempt: 'a-1',
    instance: 'i-1',
    tenant: 'acme.com',
    leaseMs: 4000,
    deadlineAt: 1_700_000_000_000,
    constraints: '',
  };
  const read = (headers: Record<string, string>) => readHandOut((name) => headers[name]);

  test('come back as they were, in plain ASCII, and a fence keeps every digit', () => {
    expect(unwrap(read(writeHandOut(handOut)))).toEqual(handOut);
    const constraints = JSON.stringify({ redaction_level: 'ströng 🔒', budgets: { max_retries: 1 } });
    const written = writeHandOut({ ...handOut, constraints });
    expect(Object.values(written).join('')).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(unwrap(read(written)).constraints)).toEqual(JSON.parse(constraints));
  });

  test.each([
    ['Cortex-Fence', ''],
    ['Cortex-Fence', '-1'],
    ['Cortex-Attempt', 'a b'],
    ['Cortex-Instance', ''],
    ['Cortex-Tenant', 'a:b'],
    ['Cortex-Lease-Ms', '1e3'],
    ['Cortex-Deadline', ''],
  ])('%s: %j is refused by name', (name, value) => {
    expect(read({ ...writeHandOut(handOut), [name]: value })).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument', field: name },
    });
  });
});
