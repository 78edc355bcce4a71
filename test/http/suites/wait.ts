// ?wait=: the answer comes with the end, or after the time; news that is lost costs two seconds; who leaves is not waited for.
import { describe, expect, test } from 'vitest';
import { until } from '../../helpers/until.ts';
import { finish, json, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

export function testWait(make: MakeGateway): void {
  describe('?wait=', () => {
    const gateway = gatewayFor(make);
    const submitAndWait = (seconds: number): Promise<Response> =>
      gateway().request(`/api/v1/jobs?wait=${seconds}`, { method: 'POST', body: '{"prompt":"w"}' });
    const newest = async (): Promise<string> => {
      const jobs = await until(async () => {
        const { jobs: found } = await gateway().store.page({
          ...{ tenant: 'default', limit: 1, cursor: undefined, state: 'PENDING', topic: undefined, traceId: undefined },
          ...{ updatedAfter: undefined, updatedBefore: undefined },
        });
        return found.length > 0 ? found : undefined;
      });
      return jobs[0]?.id ?? '';
    };
    const listening = (n: number): Promise<unknown> =>
      until(async () => (await gateway().subscriptions()) === n, { message: `${n} subscriptions` });

    test('GET answers with the end as soon as it comes', async () => {
      const { job_id } = await submitted(gateway());
      const job = await start(gateway(), job_id);
      const began = performance.now();
      const answer = gateway().request(`/api/v1/jobs/${job_id}?wait=30`);
      await listening(1);
      await finish(gateway(), job, { result: '{"done":true}' });
      const response = await answer;
      expect(response.status).toBe(200);
      expect(await json(response)).toMatchObject({ id: job_id, state: 'SUCCEEDED', result: { done: true } });
      expect(performance.now() - began).toBeLessThan(1_900);
      await listening(0);
    });

    test('POST answers 200 and the whole job when it ended in time', async () => {
      const answer = submitAndWait(30);
      const id = await newest();
      await finish(gateway(), await start(gateway(), id), { result: '[1]' });
      const response = await answer;
      expect(response.status).toBe(200);
      expect(await json(response)).toMatchObject({
        ...{ job_id: id, trace_id: expect.any(String), id, state: 'SUCCEEDED', result: [1] },
      });
    });

    test('POST answers 202 and the whole job when it did not', async () => {
      const began = performance.now();
      const response = await submitAndWait(1);
      expect(response.status).toBe(202);
      expect(await json(response)).toMatchObject({ job_id: expect.any(String), state: 'PENDING', result: null });
      expect(performance.now() - began).toBeGreaterThan(990);
      await gateway().store.end([
        ...[
          {
            id: await newest(),
            tenant: 'default',
            to: 'CANCELLED' as const,
            seen: undefined,
            errorCode: '',
            errorMessage: '',
          },
        ],
      ]);
    });

    test('wait=0 is no wait', async () => {
      const response = await submitAndWait(0);
      expect(response.status).toBe(202);
      expect(Object.keys(await json(response)).sort()).toEqual(['job_id', 'trace_id']);
    });

    test('a job that has ended is answered at once', async () => {
      const { job_id } = await submitted(gateway());
      await gateway().request(`/api/v1/jobs/${job_id}/cancel`, { method: 'POST' });
      const began = performance.now();
      expect(await json(await gateway().request(`/api/v1/jobs/${job_id}?wait=60`))).toMatchObject({
        state: 'CANCELLED',
      });
      expect(performance.now() - began).toBeLessThan(1_000);
    });

    test('lost news costs two seconds', async () => {
      const { job_id } = await submitted(gateway());
      const job = await start(gateway(), job_id);
      const answer = gateway().request(`/api/v1/jobs/${job_id}?wait=30`);
      await listening(1);
      gateway().silence(true);
      const began = performance.now();
      await finish(gateway(), job);
      expect(await json(await answer)).toMatchObject({ state: 'SUCCEEDED' });
      expect(performance.now() - began).toBeLessThan(3_000);
      gateway().silence(false);
    });

    test('many who wait for one tenant share one subscription, where requests may share', async () => {
      const { job_id } = await submitted(gateway());
      const job = await start(gateway(), job_id);
      const answers = Array.from({ length: 20 }, () => gateway().request(`/api/v1/jobs/${job_id}?wait=30`));
      await listening(gateway().isolated === true ? 20 : 1);
      await finish(gateway(), job);
      for (const answer of answers) expect(await json(await answer)).toMatchObject({ state: 'SUCCEEDED' });
      await listening(0);
    });

    // workerd tells of a client that left only once it has begun to answer; before that its wait alone bounds it.
    test('a client that leaves is not waited for, or no longer than it asked', async () => {
      const { job_id } = await submitted(gateway());
      const left = new AbortController();
      const wait = gateway().isolated === true ? 2 : 60;
      const answer = gateway().request(`/api/v1/jobs/${job_id}?wait=${wait}`, { signal: left.signal });
      answer.catch(() => undefined);
      await listening(1);
      left.abort();
      await listening(0);
    });

    test('an unknown job is 404 at once, a wrong wait 400', async () => {
      await expectProblem(await gateway().request('/api/v1/jobs/nothing?wait=60'), 404);
      await expectProblem(await gateway().request('/api/v1/jobs/nothing?wait=61'), 400, { field: 'wait' });
      await listening(0);
    });
  });
}
