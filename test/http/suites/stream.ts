// GET /api/v1/stream: the packets that a client of the original would have seen, each once and in order; with cursors it can come again.
import { toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { decodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { unwrap } from '#core/result.ts';
import { BusPacketSchema } from '#proto/cortex/agent/v1/packet_pb.ts';
import { until } from '../../helpers/until.ts';
import { finish, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import type { TestSocket } from '../sockets.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

type Frame = Record<string, unknown>;

export function testStream(make: MakeGateway): void {
  describe('the stream of packets', () => {
    const gateway = gatewayFor(make);
    const connect = async (query = '', headers: Record<string, string> = {}): Promise<TestSocket> => {
      const { socket, refused } = await gateway().socket(`/api/v1/stream${query}`, headers);
      if (socket === undefined) throw new Error(`refused: ${refused.status} ${await refused.text()}`);
      return socket;
    };
    /** The packet on the bus as JSON. */
    const onBus = (subject: string, of: string): Frame | undefined => {
      const all = gateway()
        .heard(subject)
        .map(({ data }) => unwrap(decodePacket(data)));
      const found = all.find(({ payload: { value } }) => 'jobId' in value && value.jobId === of);
      return found === undefined ? undefined : (toJson(BusPacketSchema, found) as Frame);
    };

    test("are the original's: a submission, an end, nothing between, as they went over the bus", async () => {
      const socket = await connect();
      const { job_id, trace_id } = await submitted(gateway(), { prompt: 'hi', topic: 'job.echo', labels: { a: 'b' } });
      await finish(gateway(), await start(gateway(), job_id), { result: '[]' });
      const [request, result] = await socket.first(2);
      expect(request).toMatchObject({
        traceId: trace_id,
        protocolVersion: 1,
        jobRequest: { jobId: job_id, topic: 'job.echo', contextPtr: `redis://ctx:${job_id}` },
      });
      // Its packet is gone with its end: whoever reads after that gets what the record tells.
      const { jobRequest, ...head } = await until(() => onBus(subjects.submit, job_id));
      if (request?.['senderId'] === 'api-gateway-http') expect(request).toEqual({ ...head, jobRequest });
      expect(result).toMatchObject({
        traceId: trace_id,
        senderId: 'w1',
        jobResult: {
          ...{ jobId: job_id, status: 'JOB_STATUS_SUCCEEDED', workerId: 'w1', executionMs: '12' },
          resultPtr: expect.stringMatching(/^redis:\/\/res:/),
        },
      });
      expect(socket.frames).toHaveLength(2);
      socket.close();
    });

    test('a submission that still runs is the packet of the bus, field for field', async () => {
      const socket = await connect();
      const { job_id } = await submitted(gateway(), { prompt: 'hi', priority: 'batch', labels: { a: 'b' } });
      const [request] = await socket.first(1);
      expect(request).toEqual(await until(() => onBus(subjects.submit, job_id)));
      socket.close();
    });

    test("a cancel is told once, with the original's sender and trace", async () => {
      const { job_id } = await submitted(gateway());
      const socket = await connect();
      await gateway().request(`/api/v1/jobs/${job_id}/cancel`, { method: 'POST' });
      const [packet] = await socket.first(1);
      expect(packet).toMatchObject({
        ...{ traceId: job_id, senderId: 'api-gateway' },
        jobResult: { jobId: job_id, status: 'JOB_STATUS_CANCELLED', errorCode: 'cancelled' },
      });
      const { createdAt: _told, ...told } = packet as Frame;
      const { createdAt: _heard, ...heard } = await until(() => onBus(subjects.result, job_id));
      expect(told).toEqual(heard);
      expect(socket.frames).toHaveLength(1);
      socket.close();
    });

    test('with a cursor each packet has one behind it, and from each the rest follows', async () => {
      const socket = await connect('?cursor=');
      const [begin] = await socket.first(1);
      expect(begin).toEqual({ cursor: expect.stringMatching(/^\d+-\d+$/) });
      const jobs = await Promise.all(Array.from({ length: 4 }, () => submitted(gateway())));
      for (const { job_id } of jobs) await finish(gateway(), await start(gateway(), job_id));
      const frames = await socket.first(17);
      const packets = frames.slice(1).filter((_, i) => i % 2 === 0);
      const cursors = [begin, ...frames.slice(1).filter((_, i) => i % 2 === 1)].map((frame) => frame?.['cursor']);
      expect(packets.every((frame) => 'jobRequest' in frame || 'jobResult' in frame)).toBe(true);
      const ids = (list: readonly Frame[]): unknown[] =>
        list.map((frame) => ((frame['jobRequest'] ?? frame['jobResult']) as { readonly jobId: unknown }).jobId);
      const told = jobs.map(({ job_id }) => job_id);
      expect(new Set(ids(packets.slice(0, 4)))).toEqual(new Set(told));
      expect(ids(packets.slice(4))).toEqual(told);
      socket.close();
      for (const [i, cursor] of cursors.entries()) {
        const again = await connect(`?cursor=${String(cursor)}`);
        const wanted = packets.slice(i);
        const rest = await again.first(1 + 2 * wanted.length);
        expect(rest[0]).toEqual({ cursor });
        expect(ids(rest.slice(1).filter((_, k) => k % 2 === 0))).toEqual(ids(wanted));
        expect(rest.slice(1).filter((_, k) => k % 2 === 1)).toEqual(cursors.slice(i + 1).map((at) => ({ cursor: at })));
        again.close();
      }
      const all = await connect('?cursor=0');
      const first = await all.first(20);
      expect(first[0]).toEqual({ cursor: '0' });
      all.close();
    });

    test.each(['1-1', '999999999999999-0'])('cursor %s is of another stream: reset', async (cursor) => {
      await submitted(gateway());
      const socket = await connect(`?cursor=${cursor}`);
      const frames = await until(() => {
        const parsed = socket.frames.map((text) => JSON.parse(text) as Frame);
        return parsed.some((frame) => frame['reset'] === true) ? parsed : undefined;
      });
      expect(frames.find((frame) => 'reset' in frame)).toEqual({ reset: true, cursor: expect.any(String) });
      socket.close();
    });

    test('needs an upgrade and a cursor that is one', async () => {
      const plain = await gateway().request('/api/v1/stream');
      // workerd takes that header for itself.
      if (gateway().isolated !== true) expect(plain.headers.get('upgrade')).toBe('websocket');
      await expectProblem(plain, 426, { code: 'failed_precondition' });
      const { refused } = await gateway().socket('/api/v1/stream?cursor=x');
      await expectProblem(refused as Response, 400, { field: 'cursor' });
      const unknown = await gateway().socket('/api/v1/stream?since=1');
      await expectProblem(unknown.refused as Response, 400, { field: 'since' });
    });

    test('does not read what clients say, and ends with one that says too much', async () => {
      const socket = await connect();
      for (let i = 0; i < 50; i++) socket.send('{"cursor":"0"}');
      const { job_id } = await submitted(gateway());
      expect(await socket.first(1)).toMatchObject([{ jobRequest: { jobId: job_id } }]);
      for (let i = 0; i < 60; i++) socket.send('hello');
      expect(await socket.closed).toMatchObject({ code: 1008 });
    });

    test('is shared where requests may share: many clients, one subscription; and none is left', async () => {
      const sockets = await Promise.all(Array.from({ length: 20 }, () => connect('?cursor=')));
      const { isolated = false } = gateway();
      await until(async () => (await gateway().subscriptions()) === (isolated ? 20 : 1));
      const { job_id } = await submitted(gateway());
      for (const socket of sockets) {
        const [, packet] = await socket.first(3);
        expect(packet).toMatchObject({ jobRequest: { jobId: job_id } });
      }
      for (const socket of sockets) socket.close();
      await until(async () => (await gateway().subscriptions()) === 0, { message: 'no subscription to be left' });
      if (isolated) return; // without metrics
      const text = await gateway().metrics();
      expect(text).toMatch(/^cortex_api_gateway_streams_open\{kind="websocket"\} 0$/m);
      expect(text).toMatch(/route="\/api\/v1\/stream",status="101"\} \d+$/m);
    });
  });
}
