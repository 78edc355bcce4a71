// Runs of workflows over HTTP: the timeline, signals, and a rerun. The run itself is played straight into store and journal.
import { describe, expect, test } from 'vitest';
import type { HandOut } from '#core/jobs/store.ts';
import { list, script, text } from '#core/redis/redis.ts';
import { parseLine } from '#core/workflow/lines.ts';
import { until } from '../../helpers/until.ts';
import { finish, json, start, storedPacket, storedPayload, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { gatewayFor, type GatewayUnderTest, type MakeGateway } from '../under-test.ts';

const topic = 'job.workflow.x';

async function run(gateway: GatewayUnderTest, more: object = {}): Promise<{ id: string; job: HandOut }> {
  const { job_id: id } = await submitted(gateway, { topic, prompt: 'p', ...more });
  return { id, job: await start(gateway, id) };
}

async function write(gateway: GatewayUnderTest, job: HandOut, ...lines: readonly object[]): Promise<void> {
  const { id, tenant, fence, attempt } = job;
  const from = (await gateway.journal.lines({ id, tenant }))?.length ?? 0;
  const texts = lines.map((line) => JSON.stringify(line));
  expect(await gateway.journal.append({ id, tenant, fence, attempt, from, lines: texts })).toBe('ok');
}

const begin = {
  t: 'begin',
  at: 1_800_000_000_000,
  name: 'x',
  v: '2',
  req: { topic, env: { a: 'b' }, priority: 'JOB_PRIORITY_BATCH' },
};
const at = 1_800_000_001_000;

/** The keys of all memories of runs. */
async function memories({ redis }: GatewayUnderTest): Promise<readonly string[]> {
  const found = await redis.run(script('wfKeys', "return redis.call('KEYS','wf:*')"), [], []);
  return list(found).map(text).toSorted();
}

export function testWorkflows(make: MakeGateway): void {
  describe('workflows', () => {
    const gateway = gatewayFor(make);
    const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
      gateway().request(`/api/v1/workflows/${path}`, { method: 'POST', body, headers });
    const show = async (id: string) => json(await gateway().request(`/api/v1/workflows/${id}`));

    test('a run is shown with its steps, tries, waits and signals', async () => {
      const { id, job } = await run(gateway());
      expect(await show(id)).toMatchObject({ id, state: 'RUNNING', workflow: '', begun_at: null, steps: [] });
      // A step that failed once, and one that is under way: a job of its own.
      const { job_id: child } = await submitted(gateway());
      await write(
        ...([gateway(), job] as const),
        begin,
        ...[
          { t: 'start', k: 'a', n: 1, topic: 'job.a', d: 'd' },
          { t: 'start', k: 'b', n: 1, topic: 'job.b', d: 'd' },
        ],
        { t: 'end', at, k: 'a', n: 1, id: `${id}.a.1`, s: 'FAILED', c: 'unavailable', m: 'away', st: at, en: at },
        { t: 'sleep', k: 'a~1', until: at + 1000 },
        { t: 'wait', name: 'go' },
        { t: 'due', at: at + 1000, k: 'a~1' },
        { t: 'start', k: 'a', n: 2, topic: 'job.a', d: 'd' },
        { t: 'signal', at, i: 0, name: 'other' },
      );
      expect(child).not.toBe('');
      expect(await show(id)).toMatchObject({
        ...{ workflow: 'x', version: '2', begun_at: '2027-01-15T08:00:00.000Z', topic, rerun_of: null, undoing: null },
        steps: [
          {
            ...{ key: 'a', topic: 'job.a', state: null, kept: false },
            attempts: [
              {
                job_id: `${id}.a.1`,
                state: 'FAILED',
                error_code: 'unavailable',
                error_message: 'away',
                dropped: false,
              },
              { job_id: `${id}.a.2`, state: null, asked_at: '2027-01-15T08:00:02.000Z', ended_at: null },
            ],
          },
          { key: 'b', attempts: [{ job_id: `${id}.b.1`, state: null }] },
        ],
        waiting_for: { signals: ['go'], sleeps: [] },
        signals: [{ name: 'other', at: '2027-01-15T08:00:01.000Z' }],
      });
    });

    test('a job that is no workflow is none', async () => {
      const { job_id } = await submitted(gateway());
      for (const id of [job_id, 'nobody', 'a%20b']) {
        await expectProblem(await gateway().request(`/api/v1/workflows/${id}`), 404, { detail: 'job not found' });
        await expectProblem(await post(`${id}/signals/go`, '1'), 404, { detail: 'job not found' });
        await expectProblem(await post(`${id}/rerun`, '{}'), 404, { detail: 'job not found' });
      }
    });

    test('a signal is noted and told; the same key twice is one', async () => {
      const { id } = await run(gateway());
      const response = await post(`${id}/signals/approve`, '{"by":"ann","n":[1]}', { 'Idempotency-Key': 'k' });
      expect([response.status, await json(response)]).toEqual([202, { id, signal: 'approve' }]);
      const again = await post(`${id}/signals/approve`, '{"by":"ann"}', { 'Idempotency-Key': 'k' });
      expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([202, 'true']);
      expect((await post(`${id}/signals/approve`, '2')).status).toBe(202);
      expect(await gateway().journal.signals({ id, tenant: 'default', from: 0 })).toMatchObject([
        { name: 'approve', value: '{"by":"ann","n":[1]}' },
        { name: 'approve', value: '2' },
      ]);
      await until(() =>
        gateway()
          .heard('cortex.wf.default')
          .some(({ data }) => new TextDecoder().decode(data) === id),
      );
    });

    test.each([
      ['go', '', 400, 'body'],
      ['go', '{', 400, 'body'],
      ['a%20b', '1', 400, 'name'],
      ['x'.repeat(65), '1', 400, 'name'],
      ['go', JSON.stringify('x'.repeat(16_384)), 400, 'body'],
    ])('signal %s with %s is %i and names %s', async (name, body, status, field) => {
      const { id } = await run(gateway());
      const problem = await json(await post(`${id}/signals/${name}`, body));
      expect(problem).toMatchObject({ status });
      expect(JSON.stringify(problem)).toContain(field);
      expect(await gateway().journal.counts([{ id, tenant: 'default' }])).toEqual([0]);
    });

    test('a run that has ended takes no signal, and one that has not is not run again', async () => {
      const { id, job } = await run(gateway());
      await expectProblem(await post(`${id}/rerun`, '{}'), 409, { detail: 'the run has not ended' });
      await finish(gateway(), job, { status: 'FAILED' });
      await expectProblem(await post(`${id}/signals/go`, '1'), 409, { detail: 'the run has ended' });
      await expectProblem(await post(`${id}/rerun`, '{}'), 409, { detail: /the run has done no step/ });
    });

    test('a rerun begins with what need not be done again', async () => {
      const { id, job } = await run(gateway());
      await post(`${id}/signals/go`, '"early"');
      await write(
        ...([gateway(), job] as const),
        begin,
        { t: 'start', k: 'a', n: 1, topic: 'job.a', d: 'da' },
        { t: 'signal', at, i: 0, name: 'go' },
        { t: 'end', at, k: 'a', n: 1, id: `${id}.a.1`, s: 'SUCCEEDED', p: `redis://res:${id}.a.1` },
        { t: 'start', k: 'b', n: 1, topic: 'job.b', d: 'db' },
        { t: 'end', at, k: 'b', n: 1, id: `${id}.b.1`, s: 'FAILED', c: 'internal', m: 'broken' },
      );
      await finish(gateway(), job, { status: 'FAILED' });
      await expectProblem(await post(`${id}/rerun`, '{"from":"c"}'), 400, {
        ...{ field: 'from', detail: 'from: the run has no step "c"; there are a, b' },
      });
      await expectProblem(await post(`${id}/rerun`, '{"form":"b"}'), 400, { field: 'form' });
      const response = await post(`${id}/rerun`, '{"from":"b"}', { 'Idempotency-Key': 'again' });
      expect(response.status).toBe(202);
      const { job_id, kept } = await json(response);
      const next = String(job_id);
      expect(response.headers.get('location')).toBe(`/api/v1/workflows/${next}`);
      // Its result is there no more: it will be done again.
      expect(kept).toEqual([]);
      expect(await storedPayload(gateway(), next)).toEqual(await storedPayload(gateway(), id));
      const { request } = await storedPacket(gateway(), next);
      expect(request).toMatchObject({ topic, env: { a: 'b' }, priority: 2, jobId: next, parentJobId: '' });
      const lines = (await gateway().journal.lines({ id: next, tenant: 'default' })) ?? [];
      expect(lines.map(parseLine)).toEqual([
        {
          t: 'seed',
          of: id,
          from: 'b',
          kept: [{ k: 'a', id: `${id}.a.1`, topic: 'job.a', d: 'da' }],
          owed: [{ n: 0 }],
        },
      ]);
      expect(await gateway().journal.signals({ id: next, tenant: 'default', from: 0 })).toMatchObject([
        { name: 'go', value: '"early"' },
      ]);
      expect(await show(next)).toMatchObject({ state: 'PENDING', rerun_of: { id, from: 'b' } });
      const before = await memories(gateway());
      const same = await json(await post(`${id}/rerun`, '{"from":"b"}', { 'Idempotency-Key': 'again' }));
      expect(same['job_id']).toBe(next);
      await expectProblem(await post(`${id}/rerun`, '{"from":"a"}', { 'Idempotency-Key': 'again' }), 422);
      // Neither left a memory behind that no run will have.
      expect(await memories(gateway())).toEqual(before);
      await gateway().redis.set(`res:${id}.a.1`, '1');
      // Without a step: from the one that did not succeed.
      expect(await json(await post(`${id}/rerun`, '{}'))).toMatchObject({ kept: ['a'] });
    });
  });

  describe('workflows of others', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });

    test('a submitter sends signals to its own runs alone, an operator to all of the tenant', async () => {
      const own = await json(
        await gateway().request('/api/v1/jobs', {
          method: 'POST',
          body: JSON.stringify({ topic }),
          headers: as('operator'),
        }),
      );
      const path = `/api/v1/workflows/${String(own['job_id'])}/signals/go`;
      const send = (role: 'submitter' | 'operator') =>
        gateway().request(path, { method: 'POST', body: '1', headers: as(role) });
      await expectProblem(await send('submitter'), 403, { detail: 'a submitter sends signals to its own runs alone' });
      expect((await send('operator')).status).toBe(202);
    });

    test('a submitter runs its own runs again alone; what is kept may be as large as a run may have it', async () => {
      const answer = await gateway().request('/api/v1/jobs', {
        ...{ method: 'POST', body: JSON.stringify({ topic }), headers: as('operator') },
      });
      const id = String((await json(answer))['job_id']);
      const job = await start(gateway(), id);
      const lines: object[] = [begin, { t: 'start', k: 'a', n: 1, topic: 'job.a', d: 'd' }];
      for (let i = 0; i < 70; i++) {
        const value = JSON.stringify('x'.repeat(16_000));
        await gateway().journal.send({ id, tenant: 'default', name: 'go', value, key: '' });
        lines.push({ t: 'signal', at, i, name: 'go' });
      }
      await write(gateway(), job, ...lines);
      await finish(gateway(), job, { status: 'FAILED' });
      const again = (role: 'submitter' | 'operator') =>
        gateway().request(`/api/v1/workflows/${id}/rerun`, { method: 'POST', body: '{}', headers: as(role) });
      await expectProblem(await again('submitter'), 403, { detail: 'a submitter runs its own runs again alone' });
      const made = await again('operator');
      expect(made.status).toBe(202);
      const next = { id: String((await json(made))['job_id']), tenant: 'default' };
      expect(await gateway().journal.counts([next])).toEqual([70]);
    });
  });
}
