// cortex workflow, signal, rerun: the real CLI against a real gateway, on a run that is played into the store.
import { expect, test } from 'vitest';
import { cortex, json, stage, submitted } from './cli-stage.ts';
import { finish, start } from './drive.ts';

const at = 1_800_000_000_000;

async function played() {
  const id = await submitted('p', '--topic', 'job.workflow.x');
  const job = await start(stage, id);
  const { tenant, fence, attempt } = job;
  const lines = [
    { t: 'begin', at, name: 'x', v: '1', req: { topic: 'job.workflow.x' } },
    { t: 'start', k: 'scan', n: 1, topic: 'job.repo.scan', d: 'd1' },
    { t: 'end', at, k: 'scan', n: 1, id: `${id}.scan.1`, s: 'SUCCEEDED', p: 'redis://res:x', st: at, en: at + 1500 },
    { t: 'start', k: 'report', n: 1, topic: 'job.repo.report', d: 'd2' },
    { t: 'wait', name: 'approve' },
  ].map((line) => JSON.stringify(line));
  await stage.journal.append({ id, tenant, fence, attempt, from: 0, lines });
  return { id, job };
}

test('workflow shows the steps and what is waited for; its exit code is the state', async () => {
  const { id } = await played();
  const { code, stdout, stderr } = await cortex(['workflow', id]);
  expect({ code, stderr }).toEqual({ code: 9, stderr: '' });
  expect(stdout).toContain(`run   ${id} x (version 1)\nstate RUNNING\n`);
  expect(stdout).toMatch(/^STEP +STATE +TOOK +TOPIC +JOB$/m);
  expect(stdout).toMatch(new RegExp(`^scan +SUCCEEDED +1\\.5 s +job.repo.scan +${id}.scan.1$`, 'm'));
  expect(stdout).toMatch(/^report +asked for +job.repo.report/m);
  expect(stdout).toMatch(/^waits for the signal approve$/m);
  const answer = await cortex(['workflow', id, '--json']);
  expect(JSON.parse(answer.stdout)).toMatchObject({ id, steps: [{ key: 'scan' }, { key: 'report' }] });
  expect(await cortex(['workflow', 'nobody'])).toMatchObject({ code: 5, stdout: '' });
});

test('signal sends JSON, once for a key', async () => {
  const { id } = await played();
  expect(await cortex(['signal', id, 'approve', '{"by":"ann"}', '--idempotency-key', 'k'])).toEqual({
    ...{ code: 0, stderr: '', stdout: `run ${id} has the signal approve\n` },
  });
  await cortex(['signal', id, 'approve', '-', '--idempotency-key', 'k2'], { stdin: '[1]' });
  await cortex(['signal', id, 'approve', '{"by":"ann"}', '--idempotency-key', 'k']);
  await cortex(['signal', id, 'stop']);
  const signals = await stage.journal.signals({ id, tenant: 'default', from: 0 });
  expect(signals.map(({ name, value }) => [name, value])).toEqual([
    ...[
      ['approve', '{"by":"ann"}'],
      ['approve', '[1]'],
    ],
    ['stop', 'null'],
  ]);
  expect(await cortex(['signal', id, 'approve', '{'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^cortex: JSON: is not JSON/),
  });
  expect(await cortex(['signal', id, 'a b', '1'])).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^cortex: name: must be/),
  });
});

test('rerun begins again from a step and says what is kept', async () => {
  const { id, job } = await played();
  expect(await cortex(['rerun', id])).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/the run has not ended/),
  });
  await finish(stage, job, { status: 'FAILED', message: 'report failed' });
  await stage.redis.set('res:x', '{}');
  const { code, stdout, stderr } = await cortex(['rerun', id, '--from', 'report']);
  expect(code).toBe(0);
  const [, next] = /^job {3}(\S+)\nkept {2}scan\n$/.exec(stdout) ?? [];
  expect(stderr).toContain(`workflow ${next}`);
  expect(json(await cortex(['get', next ?? '', '--json']))).toMatchObject({
    state: 'PENDING',
    topic: 'job.workflow.x',
  });
  expect((await cortex(['workflow', next ?? ''])).stdout).toContain(`a rerun of ${id} from report`);
  expect(await cortex(['rerun', id, '--from', 'nope'])).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^cortex: from: the run has no step "nope"; there are scan, report/),
  });
});
