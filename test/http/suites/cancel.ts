// POST /api/v1/jobs/{id}/cancel: in every state, and what the bus hears of it.
import { describe, expect, test } from 'vitest';
import { decodePacket } from '#core/protocol/envelope.ts';
import { unwrap } from '#core/result.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { until } from '../../helpers/until.ts';
import { allow, dispatch, finish, json, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type GatewayUnderTest, type MakeGateway } from '../under-test.ts';

type Step = (gateway: GatewayUnderTest, id: string) => Promise<unknown>;

const live: readonly (readonly [string, Step])[] = [
  ['PENDING', async () => undefined],
  ['SCHEDULED', (gateway, id) => allow(gateway, id, 'default')],
  [
    'DISPATCHED',
    async (gateway, id) => {
      await allow(gateway, id, 'default');
      await dispatch(gateway, id, 'job.chat.simple');
    },
  ],
  ['RUNNING', (gateway, id) => start(gateway, id)],
];

export function testCancel(make: MakeGateway): void {
  describe('POST /api/v1/jobs/{id}/cancel', () => {
    const gateway = gatewayFor(make);
    const cancel = (id: string): Promise<Response> =>
      gateway().request(`/api/v1/jobs/${id}/cancel`, { method: 'POST' });
    const packets = (subject: string, id: string) =>
      gateway()
        .heard(subject)
        .map(({ data }) => unwrap(decodePacket(data)))
        .filter(
          (packet) =>
            packet.payload.value !== undefined && 'jobId' in packet.payload.value && packet.payload.value.jobId === id,
        );

    test.each(live)('ends a job that is %s', async (state, reach) => {
      const { job_id } = await submitted(gateway());
      await reach(gateway(), job_id);
      expect((await gateway().store.view(job_id, 'default'))?.state).toBe(state);
      const response = await cancel(job_id);
      expect(response.status).toBe(200);
      expect(await json(response)).toEqual({ id: job_id, state: 'CANCELLED' });
      const shown = await json(await gateway().request(`/api/v1/jobs/${job_id}`));
      expect(shown).toMatchObject({ state: 'CANCELLED', error_code: 'cancelled', error_message: 'cancelled by local' });
      expect(shown['stopped_at'] === null).toBe(state === 'RUNNING' || state === 'DISPATCHED');
    });

    test('tells the worker and everybody else', async () => {
      const { job_id } = await submitted(gateway());
      await start(gateway(), job_id);
      await cancel(job_id);
      const [stop] = await until(async () => {
        const found = packets('sys.job.cancel', job_id);
        return found.length > 0 ? found : undefined;
      });
      expect(stop).toMatchObject({
        ...{ traceId: job_id, senderId: 'api-gateway' },
        payload: { case: 'jobCancel', value: { jobId: job_id, requestedBy: 'local' } },
      });
      const [result] = await until(async () => {
        const found = packets('sys.job.result', job_id);
        return found.length > 0 ? found : undefined;
      });
      expect(result).toMatchObject({
        ...{ traceId: job_id, senderId: 'api-gateway' },
        payload: { case: 'jobResult', value: { jobId: job_id, status: JobStatus.CANCELLED, workerId: 'w1' } },
      });
    });

    test('voids the fence: the attempt cannot commit any more', async () => {
      const { job_id } = await submitted(gateway());
      const job = await start(gateway(), job_id);
      await cancel(job_id);
      await expect(finish(gateway(), job, { result: '{"late":1}' })).rejects.toThrow('stale');
      expect((await json(await gateway().request(`/api/v1/jobs/${job_id}`)))['result']).toBeNull();
    });

    test.each(['SUCCEEDED', 'FAILED'] as const)('changes nothing about a job that has %s', async (status) => {
      const { job_id } = await submitted(gateway());
      await finish(gateway(), await start(gateway(), job_id), { status });
      const response = await cancel(job_id);
      expect(response.status).toBe(200);
      expect(await json(response)).toEqual({ id: job_id, state: status, reason: 'job already terminal' });
      expect(packets('sys.job.cancel', job_id)).toEqual([]);
    });

    test('twice says so, and ten at once end it once', async () => {
      const { job_id } = await submitted(gateway());
      const answers = await Promise.all(Array.from({ length: 10 }, async () => json(await cancel(job_id))));
      expect(answers.filter((answer) => !('reason' in answer))).toHaveLength(1);
      expect(new Set(answers.map((answer) => answer['state']))).toEqual(new Set(['CANCELLED']));
      expect(await json(await cancel(job_id))).toEqual({
        id: job_id,
        state: 'CANCELLED',
        reason: 'job already terminal',
      });
    });

    test.each(['nothing', 'a%20b', '%2e%2e%2fx'])('id %s is 404', async (id) => {
      await expectProblem(await cancel(id), 404, { code: 'not_found', detail: 'job not found' });
    });
  });
}
