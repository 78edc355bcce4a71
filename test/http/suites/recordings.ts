// GET /api/v1/jobs/{id}/recording.
import { describe, expect, test } from 'vitest';
import type { HandOut } from '#core/jobs/store.ts';
import { finish, json, start, storedPacket, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const attempt = {
  ...{ type: 'attempt', version: 1, topic: 'job.chat.simple', tenant: 'default', trace_id: 't', worker: 'w' },
  ...{ fence: '1', attempt: 2, request: { env: { record: 'true' } }, constraints: '', model: 'fast' },
};
const exchange = {
  type: 'exchange',
  request: { messages: [{ role: 'user', content: 'hi' }] },
  parts: [{ type: 'text', text: 'ho' }],
  error: { code: 'unavailable', message: 'cut off' },
};
const end = {
  ...{ type: 'end', times: [1], status: 'SUCCEEDED', error_code: '', error_message: '', deadline: false, cut: false },
};

export function testRecordings(make: MakeGateway): void {
  describe('GET /api/v1/jobs/{id}/recording', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });
    const get = (id: string, headers = as('viewer')): Promise<Response> =>
      gateway().request(`/api/v1/jobs/${id}/recording`, { headers });
    const store = (handOut: HandOut, text: string): Promise<string | undefined> => {
      const { id, tenant, fence, attempt } = handOut;
      const bytes = new TextEncoder().encode(text);
      return gateway().store.artifact({ id, tenant, fence, attempt, name: 'exchanges', bytes });
    };

    test('answers the payload, the attempt, what was said, and the result, as texts where bytes count', async () => {
      const { job_id } = await submitted(gateway(), { prompt: 'hi' }, as('submitter'));
      const handOut = await start(gateway(), job_id);
      await store(handOut, [attempt, exchange, end, ''].map((line) => line && JSON.stringify(line)).join('\n'));
      await finish(gateway(), handOut, { result: '{ "response":"ho" }' });
      const answer = await json(await get(job_id));
      expect(answer).toEqual({
        ...{ id: job_id, state: 'SUCCEEDED', error_code: '', error_message: '', result: '{ "response":"ho" }' },
        payload: await gateway().redis.get(`ctx:${job_id}`),
        ...{ attempt, exchanges: [exchange], end },
      });
    });

    test('of a job without one is 404, and says how to get one; so is that of another tenant', async () => {
      const { job_id } = await submitted(gateway(), {}, as('submitter'));
      await expectProblem(await get(job_id), 404, { detail: /"record": true to a worker without MODEL_RECORD=off/ });
      await expectProblem(await get('never-there'), 404, { detail: 'job not found' });
      const handOut = await start(gateway(), job_id);
      await store(handOut, [attempt, end].map((line) => JSON.stringify(line)).join('\n'));
      expect((await get(job_id)).status).toBe(200);
      for (const role of ['viewer', 'admin'] as const)
        await expectProblem(await get(job_id, as(role, 'rival')), 404, { detail: 'job not found' });
      await finish(gateway(), handOut);
    });

    test('that cannot be read is our fault, and says no more', async () => {
      const { job_id } = await submitted(gateway(), {}, as('submitter'));
      const handOut = await start(gateway(), job_id);
      await store(handOut, '{"secret');
      const problem = await expectProblem(await get(job_id), 500);
      expect(JSON.stringify(problem)).not.toContain('secret');
      await finish(gateway(), handOut);
    });

    test('is asked for with record: true and nothing else', async () => {
      const envOf = async (body: object): Promise<unknown> => {
        const { job_id } = await submitted(gateway(), body, as('submitter'));
        return (await storedPacket(gateway(), job_id)).request.env['record'];
      };
      expect(await envOf({ record: true })).toBe('true');
      for (const body of [{ record: false }, { record: null }, {}]) expect(await envOf(body)).toBeUndefined();
      for (const record of ['true', 1, {}]) {
        const init = { method: 'POST', body: JSON.stringify({ record }), headers: as('submitter') };
        await expectProblem(await gateway().request('/api/v1/jobs', init), 400, { field: 'record' });
      }
    });
  });
}
