// GET /api/v1/jobs/{id}: every key is always there, in every state, and says what is true.
import { describe, expect, test } from 'vitest';
import { accept, allow, dispatch, finish, json, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const originalKeys = ['id', 'state', 'result_ptr', 'result', 'topic', 'tenant', 'safety_decision', 'safety_reason'];
const ourKeys = [
  ...[
    'trace_id',
    'parent_job_id',
    'principal_id',
    'rule',
    'policy_snapshot',
    'pool',
    'worker_id',
    'attempts',
    'failures',
  ],
  ...['losses', 'progress', 'error_code', 'error_message', 'artifact_ptrs', 'execution_ms', 'created_at', 'updated_at'],
  ...['started_at', 'ended_at', 'stopped_at', 'deadline_at'],
];

export function testJobs(make: MakeGateway): void {
  describe('GET /api/v1/jobs/{id}', () => {
    const gateway = gatewayFor(make);
    const get = async (id: string): Promise<Record<string, unknown>> => {
      const response = await gateway().request(`/api/v1/jobs/${id}`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      const body = await json(response);
      expect(Object.keys(body).sort()).toEqual([...originalKeys, ...ourKeys].sort());
      return body;
    };

    test('has all keys from the first moment on', async () => {
      const { job_id, trace_id } = await submitted(gateway());
      const job = await get(job_id);
      expect(job).toMatchObject({
        ...{ id: job_id, state: 'PENDING', result_ptr: '', result: null, topic: 'job.chat.simple', tenant: 'default' },
        ...{
          safety_decision: '',
          safety_reason: '',
          trace_id,
          parent_job_id: '',
          principal_id: 'local',
          worker_id: '',
        },
        ...{
          attempts: 0,
          failures: 0,
          losses: 0,
          progress: null,
          error_code: '',
          error_message: '',
          artifact_ptrs: [],
        },
        ...{ started_at: null, ended_at: null, stopped_at: null },
      });
      const created = Date.parse(String(job['created_at']));
      expect(Math.abs(created - Date.now())).toBeLessThan(10_000);
      expect(Math.abs(Number(job['updated_at']) * 1000 - created)).toBeLessThan(1_001);
      expect(Date.parse(String(job['deadline_at'])) - created).toBe(24 * 3600 * 1000);
    });

    test('tells each step', async () => {
      const { job_id } = await submitted(gateway(), { topic: 'job.echo' });
      await allow(gateway(), job_id, 'default');
      const allowed = {
        safety_decision: 'ALLOW',
        safety_reason: 'fine by the test',
        rule: 'rule-1',
        pool: `pool-${job_id}`,
      };
      expect(await get(job_id)).toMatchObject({ state: 'SCHEDULED', ...allowed, policy_snapshot: '1:test' });
      const handed = await dispatch(gateway(), job_id, 'job.echo', 'w-7');
      expect(await get(job_id)).toMatchObject({ state: 'DISPATCHED', worker_id: 'w-7', attempts: 0 });
      await accept(gateway().store, handed, 'w-7');
      const { id, tenant, fence, attempt } = handed;
      await gateway().store.progress([{ id, tenant, fence, attempt, percent: 40, message: 'half | way' }]);
      expect(await get(job_id)).toMatchObject({
        ...{ state: 'RUNNING', attempts: 1, started_at: expect.any(String), ended_at: null },
        progress: { percent: 40, message: 'half | way' },
      });
      await finish(gateway(), handed, { result: '{"a":[1,"ü",null]}' });
      expect(await get(job_id)).toMatchObject({
        ...{ state: 'SUCCEEDED', result_ptr: `redis://res:${job_id}`, result: { a: [1, 'ü', null] }, execution_ms: 12 },
        ...{ ended_at: expect.any(String), stopped_at: expect.any(String), ...allowed },
      });
    });

    test('tells how it failed', async () => {
      const { job_id } = await submitted(gateway());
      const failure = { status: 'FAILED', code: 'model_down', message: 'no answer' } as const;
      await finish(gateway(), await start(gateway(), job_id), failure);
      expect(await get(job_id)).toMatchObject({
        ...{ state: 'FAILED', result: null, failures: 1 },
        ...{ error_code: 'model_down', error_message: 'no answer' },
      });
    });

    test.each(['null', '0', '"text"', '[]'])('a result of %s is that value', async (result) => {
      const { job_id } = await submitted(gateway());
      await finish(gateway(), await start(gateway(), job_id), { result });
      expect((await get(job_id))['result']).toEqual(JSON.parse(result));
    });

    test('a result that is no JSON is null, and one that is gone as well', async () => {
      const { job_id } = await submitted(gateway());
      await finish(gateway(), await start(gateway(), job_id), { result: 'not json' });
      expect(await get(job_id)).toMatchObject({ result: null, result_ptr: `redis://res:${job_id}` });
    });

    test('a result that is nested too deep to be written is null', async () => {
      const { job_id } = await submitted(gateway());
      const handed = await start(gateway(), job_id);
      const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
      await finish(gateway(), handed, { result: nested(20_000) });
      expect(await get(job_id)).toMatchObject({ state: 'SUCCEEDED', result: null });
      const other = await submitted(gateway());
      await finish(gateway(), await start(gateway(), other.job_id), { result: nested(1_000) });
      expect(JSON.stringify((await get(other.job_id))['result'])).toBe(nested(1_000));
    });

    test.each(['nothing', '018f0000-0000-7000-8000-000000000000', 'a%20b', '%00', 'x'.repeat(129), '*', 'a:b'])(
      'id %s is 404',
      async (id) => {
        const response = await gateway().request(`/api/v1/jobs/${id}`);
        await expectProblem(response, 404, { code: 'not_found', detail: 'job not found' });
      },
    );
  });
}
