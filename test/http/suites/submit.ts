// POST /api/v1/jobs: every field and default, in the packet that workers get and in the payload that they read.
import { describe, expect, test } from 'vitest';
import { partitionOfMintedId } from '#core/jobs/job.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { unwrap } from '#core/result.ts';
import { ActorType, JobPriority } from '#proto/cortex/agent/v1/job_pb.ts';
import { json, storedPacket, storedPayload, submitted } from '../drive.ts';
import { until } from '../../helpers/until.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

export function testSubmit(make: MakeGateway): void {
  describe('POST /api/v1/jobs', () => {
    const gateway = gatewayFor(make);

    test('answers 202 with both ids once the record is there', async () => {
      const response = await gateway().request('/api/v1/jobs', { method: 'POST', body: '{"prompt":"hello"}' });
      expect(response.status).toBe(202);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      const body = await json(response);
      expect(Object.keys(body).sort()).toEqual(['job_id', 'trace_id']);
      expect(response.headers.get('location')).toBe(`/api/v1/jobs/${String(body['job_id'])}`);
      expect(response.headers.get('idempotent-replayed')).toBeNull();
      expect(partitionOfMintedId(String(body['job_id']))).toBe(0);
      const job = await gateway().store.view(String(body['job_id']), 'default');
      expect(job).toMatchObject({ state: 'PENDING', topic: 'job.chat.simple', traceId: body['trace_id'] });
    });

    test('an empty object is a job with every default', async () => {
      const { job_id, trace_id } = await submitted(gateway(), {});
      const { packet, request } = await storedPacket(gateway(), job_id);
      expect(packet).toMatchObject({ traceId: trace_id, senderId: 'api-gateway-http', protocolVersion: 1 });
      expect(request).toMatchObject({
        jobId: job_id,
        topic: 'job.chat.simple',
        priority: JobPriority.INTERACTIVE,
        contextPtr: `redis://ctx:${job_id}`,
        adapterId: '',
        memoryId: `session:${job_id}`,
        tenantId: 'default',
        principalId: 'local',
        labels: {},
        budget: { maxInputTokens: 8000n, maxOutputTokens: 1024n, maxTotalTokens: 0n, deadlineMs: 0n },
        contextHints: { maxInputTokens: 8000, allowSummarization: false, allowRetrieval: false, tags: [] },
      });
      expect(request.env).toEqual({
        tenant_id: 'default',
        memory_id: `session:${job_id}`,
        max_input_tokens: '8000',
        max_output_tokens: '1024',
      });
      expect(request.meta).toBeUndefined();
      const { created_at, ...payload } = await storedPayload(gateway(), job_id);
      expect(payload).toEqual({
        prompt: '',
        adapter_id: '',
        priority: '',
        topic: 'job.chat.simple',
        tenant_id: 'default',
      });
      expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(Math.abs(Date.parse(String(created_at)) - Date.now())).toBeLessThan(10_000);
    });

    test('every field arrives where workers look for it', async () => {
      const context = { deep: [1, { a: null }], text: 'ü' };
      const { job_id } = await submitted(gateway(), {
        prompt: 'do it',
        topic: 'job.code.llm',
        adapter_id: 'refactor',
        priority: 'Batch',
        context,
        memory_id: 'mem-1',
        context_mode: 'rag',
        tenant_id: 'default',
        principal_id: 'ann@example.com',
        labels: { gpu: 'yes', 'team.name/x': '' },
        max_input_tokens: 5,
        allow_summarization: true,
        allow_retrieval: true,
        tags: ['a', 'b c'],
        max_output_tokens: 6,
        max_total_tokens: 7,
        deadline_ms: 90_000,
        meta: {
          actor_id: 'bob',
          actor_type: 'HUMAN',
          idempotency_key: 'all-fields',
          capability: 'code',
          risk_tags: ['r'],
          requires: ['gpu'],
          pack_id: 'p',
          labels: { k: 'v' },
        },
        something_else: { is: 'tolerated' },
      });
      const { request } = await storedPacket(gateway(), job_id);
      expect(request).toMatchObject({
        topic: 'job.code.llm',
        priority: JobPriority.BATCH,
        adapterId: 'refactor',
        memoryId: 'mem-1',
        tenantId: 'default',
        principalId: 'ann@example.com',
        labels: { gpu: 'yes', 'team.name/x': '' },
        contextHints: { maxInputTokens: 5, allowSummarization: true, allowRetrieval: true, tags: ['a', 'b c'] },
        budget: { maxInputTokens: 5n, maxOutputTokens: 6n, maxTotalTokens: 7n, deadlineMs: 90_000n },
        meta: {
          tenantId: 'default',
          actorId: 'bob',
          actorType: ActorType.HUMAN,
          idempotencyKey: 'all-fields',
          capability: 'code',
          riskTags: ['r'],
          requires: ['gpu'],
          packId: 'p',
          labels: { k: 'v' },
        },
      });
      expect(request.env).toEqual({
        tenant_id: 'default',
        memory_id: 'mem-1',
        context_mode: 'rag',
        max_input_tokens: '5',
        max_output_tokens: '6',
      });
      const { created_at: _, ...payload } = await storedPayload(gateway(), job_id);
      expect(payload).toEqual({
        prompt: 'do it',
        adapter_id: 'refactor',
        priority: 'Batch',
        topic: 'job.code.llm',
        tenant_id: 'default',
        context,
      });
      const job = await gateway().store.view(job_id, 'default');
      expect(job?.principal).toBe('ann@example.com');
      expect(job === undefined ? 0 : job.deadlineAt - job.createdAt).toBe(90_000);
    });

    test('null counts as absent', async () => {
      const { job_id } = await submitted(gateway(), {
        ...{ prompt: null, topic: null, adapter_id: null, priority: null, context: null, memory_id: null },
        ...{ labels: null, tags: null, max_input_tokens: null, allow_retrieval: null, meta: null, tenant_id: null },
      });
      const { request } = await storedPacket(gateway(), job_id);
      expect(request.topic).toBe('job.chat.simple');
      expect(request.env['max_input_tokens']).toBe('8000');
      expect(await storedPayload(gateway(), job_id)).not.toHaveProperty('context');
    });

    test.each([false, 0, '', [], {}])('context %j is stored as it is', async (context) => {
      const { job_id } = await submitted(gateway(), { context });
      expect((await storedPayload(gateway(), job_id))['context']).toEqual(context);
    });

    test.each([
      ['batch', JobPriority.BATCH],
      ['CRITICAL', JobPriority.CRITICAL],
      ['Interactive', JobPriority.INTERACTIVE],
      ['whatever', JobPriority.INTERACTIVE],
    ])('priority %s', async (priority, wire) => {
      const { job_id } = await submitted(gateway(), { priority });
      expect((await storedPacket(gateway(), job_id)).request.priority).toBe(wire);
      expect((await storedPayload(gateway(), job_id))['priority']).toBe(priority);
    });

    test('the memory is that of the body, else of X-Session-Id, else of the job', async () => {
      const memory = async (body: unknown, headers: Record<string, string>): Promise<string | undefined> => {
        const { job_id } = await submitted(gateway(), body, headers);
        return (await storedPacket(gateway(), job_id)).request.env['memory_id'];
      };
      const session = { 'X-Session-Id': 'session-of-header' };
      expect(await memory({ memory_id: 'of-body' }, session)).toBe('of-body');
      expect(await memory({}, session)).toBe('session-of-header');
      expect(await memory({}, {})).toMatch(/^session:[0-9a-f-]{36}$/);
    });

    test('a content type is not asked for', async () => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const response = await gateway().request('/api/v1/jobs', {
        method: 'POST',
        body: '{"prompt":"curl -d"}',
        headers,
      });
      expect(response.status).toBe(202);
    });

    test('the doorbell is the stored packet, byte for byte', async () => {
      const { job_id, trace_id } = await submitted(gateway(), { prompt: 'ring' });
      const bell = await until(
        () =>
          gateway()
            .heard('sys.job.submit')
            .find(({ data }) => unwrap(decodePacket(data)).traceId === trace_id),
        { message: 'the doorbell' },
      );
      const stored = (await gateway().redis.get(`job:req:${job_id}`)) ?? '';
      expect(Buffer.from(bell.data).toString('base64')).toBe(stored);
    });

    test("the step is news on the tenant's subject", async () => {
      const { job_id } = await submitted(gateway());
      await until(
        () =>
          gateway()
            .heard('cortex.ev.default')
            .some(({ data }) => {
              const events = JSON.parse(new TextDecoder().decode(data)) as { job: string; state: string }[];
              return events.some((event) => event.job === job_id && event.state === 'PENDING');
            }),
        { message: 'the event' },
      );
    });

    test('fifty at once are fifty jobs', async () => {
      const all = await Promise.all(Array.from({ length: 50 }, (_, i) => submitted(gateway(), { prompt: `${i}` })));
      expect(new Set(all.map((ids) => ids.job_id)).size).toBe(50);
      const prompts = await Promise.all(
        all.map(async ({ job_id }) => (await storedPayload(gateway(), job_id))['prompt']),
      );
      expect(prompts).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
    });
  });
}
