// What POST /api/v1/jobs refuses: one clear error that names the field, and nothing stored.
import { describe, expect, test } from 'vitest';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const many = (n: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, 'v']));
const list = (n: number): string[] => Array.from({ length: n }, (_, i) => `t${i}`);

/** What it is, the body, the field that the answer must name. */
const wrong: readonly (readonly [string, unknown, string])[] = [
  ['a list', [], 'body'],
  ['a text', 'hello', 'body'],
  ['null', null, 'body'],
  ['a prompt that is no text', { prompt: 5 }, 'prompt'],
  ['a prompt of 100,001 characters', { prompt: 'x'.repeat(100_001) }, 'prompt'],
  ['a topic that is no text', { topic: ['job.echo'] }, 'topic'],
  ['a topic outside job.', { topic: 'sys.job.submit' }, 'topic'],
  ['the bare prefix', { topic: 'job.' }, 'topic'],
  ['a topic with a wildcard', { topic: 'job.*' }, 'topic'],
  ['a topic with a blank', { topic: 'job.a b' }, 'topic'],
  ['a topic with an empty word', { topic: 'job..a' }, 'topic'],
  ['a topic of 201 characters', { topic: `job.${'a'.repeat(197)}` }, 'topic'],
  ['an adapter with a line end', { adapter_id: 'a\nb' }, 'adapter_id'],
  ['an adapter that is too long', { adapter_id: 'a'.repeat(257) }, 'adapter_id'],
  ['a priority that is no text', { priority: 1 }, 'priority'],
  ['a memory that is no text', { memory_id: {} }, 'memory_id'],
  ['a memory that is too long', { memory_id: 'm'.repeat(513) }, 'memory_id'],
  ['half a character', { memory_id: '\ud800' }, 'memory_id'],
  ['a mode that is too long', { context_mode: 'm'.repeat(65) }, 'context_mode'],
  ['a tenant that is no name', { tenant_id: 'a b' }, 'tenant_id'],
  ['a principal that is no name', { principal_id: 'a b' }, 'principal_id'],
  ['labels that are a list', { labels: ['a'] }, 'labels'],
  ['a label that is no text', { labels: { team: 1 } }, 'labels.team'],
  ['a label with a wrong name', { labels: { 'a b': 'c' } }, 'labels.a b'],
  ['a label that is too long', { labels: { team: 'x'.repeat(257) } }, 'labels.team'],
  ['51 labels', { labels: many(51) }, 'labels'],
  ['a negative number', { max_input_tokens: -1 }, 'max_input_tokens'],
  ['a fraction', { max_output_tokens: 1.5 }, 'max_output_tokens'],
  ['a number as text', { max_total_tokens: '5' }, 'max_total_tokens'],
  ['a number beyond 32 bits', { max_input_tokens: 2 ** 31 }, 'max_input_tokens'],
  ['a negative deadline', { deadline_ms: -5 }, 'deadline_ms'],
  ['a deadline that is a time', { deadline_ms: 1_767_225_600_000 }, 'deadline_ms'],
  ['a deadline beyond whole numbers', { deadline_ms: 1e300 }, 'deadline_ms'],
  ['a flag that is none', { allow_summarization: 'yes' }, 'allow_summarization'],
  ['a flag that is a number', { allow_retrieval: 1 }, 'allow_retrieval'],
  ['tags that are a text', { tags: 'a,b' }, 'tags'],
  ['a tag that is no text', { tags: ['a', 5] }, 'tags[1]'],
  ['an empty tag', { tags: [''] }, 'tags[0]'],
  ['51 tags', { tags: list(51) }, 'tags'],
  ['meta that is a text', { meta: 'x' }, 'meta'],
  ['an unknown kind of actor', { meta: { actor_type: 'robot' } }, 'meta.actor_type'],
  ['51 requirements', { meta: { requires: list(51) } }, 'meta.requires'],
  ['a requirement that is no text', { meta: { requires: [1] } }, 'meta.requires[0]'],
  ['51 labels in meta', { meta: { labels: many(51) } }, 'meta.labels'],
  ['an idempotency key with a blank', { meta: { idempotency_key: 'a b' } }, 'meta.idempotency_key'],
];

export function testValidation(make: MakeGateway): void {
  describe('POST /api/v1/jobs refuses', () => {
    const gateway = gatewayFor(make);
    const post = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
      gateway().request('/api/v1/jobs', { method: 'POST', body: JSON.stringify(body), headers });

    test.each(wrong)('%s', async (_, body, field) => {
      const problem = await expectProblem(await post(body), 400, { code: 'invalid_argument', field });
      expect(problem['detail']).toContain(`${field}: `);
    });

    test('several wrong fields in one answer', async () => {
      const problem = await expectProblem(await post({ prompt: 1, topic: 'x', tags: [1] }), 400, { field: 'prompt' });
      expect((problem['errors'] as { field: string }[]).map((error) => error.field)).toEqual([
        'prompt',
        'topic',
        'tags[0]',
      ]);
    });

    test.each([
      ['X-Session-Id', 's'.repeat(513)],
      ['Idempotency-Key', 'k'.repeat(256)],
      ['Idempotency-Key', 'two words'],
    ])('a wrong header %s', async (name, value) => {
      await expectProblem(await post({}, { [name]: value }), 400, { field: name });
    });

    test.each(['61', '-1', '1.5', 'soon', '', '0x10'])('?wait=%s', async (wait) => {
      const response = await gateway().request(`/api/v1/jobs?wait=${wait}`, { method: 'POST', body: '{}' });
      await expectProblem(response, 400, { field: 'wait' });
    });

    test('and has stored nothing of all that', async () => {
      expect(await (await gateway().request('/api/v1/jobs')).json()).toEqual([]);
      expect(gateway().heard('sys.job.submit')).toEqual([]);
    });

    test('and takes what is just within the limits', async () => {
      const response = await post({
        prompt: 'x'.repeat(100_000),
        labels: many(50),
        tags: list(50),
        topic: `job.${'a'.repeat(196)}`,
        deadline_ms: 10 ** 12 - 1,
      });
      expect(response.status).toBe(202);
    });
  });
}
