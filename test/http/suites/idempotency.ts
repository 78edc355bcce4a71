// Idempotency-Key: the same key and body is the same job, however often and however much at once; another body is refused.
import { describe, expect, test } from 'vitest';
import { generateApiKey } from '#core/http/api-keys.ts';
import { finish, json, start, storedPacket, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const ann = generateApiKey(new Uint8Array(32).fill(1), { tenant: 'default', principal: 'ann', role: 'submitter' });
const bob = generateApiKey(new Uint8Array(32).fill(2), { tenant: 'default', principal: 'bob', role: 'submitter' });
const eve = generateApiKey(new Uint8Array(32).fill(3), { tenant: 'other', principal: 'ann', role: 'submitter' });

export function testIdempotency(make: MakeGateway): void {
  describe('Idempotency-Key', () => {
    const gateway = gatewayFor(make, { keys: [ann.entry, bob.entry, eve.entry] });
    const post = (body: unknown, key: string, who = ann, path = '/api/v1/jobs'): Promise<Response> =>
      gateway().request(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'X-API-Key': who.key, 'Idempotency-Key': key },
      });

    test('the same key and body is the same job, and says so', async () => {
      const first = await post({ prompt: 'once' }, 'same');
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      const ids = await json(first);
      const again = await post('{ "unknown": 1, "prompt": "once" }', 'same');
      expect(again.status).toBe(202);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await json(again)).toEqual(ids);
    });

    test('the key travels in the packet', async () => {
      const { job_id } = await json(await post({}, 'travels'));
      expect((await storedPacket(gateway(), String(job_id))).request.meta?.idempotencyKey).toBe('travels');
    });

    test('ten at once are one job', async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => post({ prompt: 'race' }, 'race')));
      expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 202));
      const ids = await Promise.all(answers.map(json));
      expect(new Set(ids.map((body) => `${String(body['job_id'])} ${String(body['trace_id'])}`)).size).toBe(1);
      expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
    });

    test('ten different bodies at once are one job and nine refusals', async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => post({ prompt: `${i}` }, 'fight')));
      expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([
        202,
        ...Array.from({ length: 9 }, () => 422),
      ]);
    });

    test('another body is refused with 422', async () => {
      await post({ prompt: 'a' }, 'other-body');
      const problem = { code: 'failed_precondition', field: 'Idempotency-Key', detail: 'another body' };
      await expectProblem(await post({ prompt: 'b' }, 'other-body'), 422, problem);
    });

    test('another session is another body, since it decides the memory', async () => {
      await post({}, 'session');
      const headers = { 'X-API-Key': ann.key, 'Idempotency-Key': 'session', 'X-Session-Id': 's1' };
      await expectProblem(await gateway().request('/api/v1/jobs', { method: 'POST', body: '{}', headers }), 422);
    });

    test('another route has keys of its own', async () => {
      const job = await json(await post({}, 'route'));
      const review = await post({ local_path: '/src' }, 'route', ann, '/api/v1/repo-review');
      expect(review.status).toBe(202);
      expect(review.headers.get('idempotent-replayed')).toBeNull();
      expect((await json(review))['job_id']).not.toBe(job['job_id']);
    });

    test('another principal has keys of its own', async () => {
      const mine = await json(await post({}, 'principal'));
      for (const body of [{}, { prompt: 'another' }]) {
        const key = JSON.stringify(body) === '{}' ? 'principal' : 'principal-2';
        if (key === 'principal-2') await post({}, key);
        const theirs = await post(body, key, bob);
        expect(theirs.status).toBe(202);
        expect(theirs.headers.get('idempotent-replayed')).toBeNull();
        expect((await json(theirs))['job_id']).not.toBe(mine['job_id']);
      }
    });

    test('another tenant has keys of its own', async () => {
      const mine = await json(await post({}, 'tenant'));
      const theirs = await post({}, 'tenant', eve);
      expect(theirs.status).toBe(202);
      expect((await json(theirs))['job_id']).not.toBe(mine['job_id']);
    });

    test('meta.idempotency_key is the same thing, and may not contradict the header', async () => {
      const auth = { 'X-API-Key': ann.key };
      const body = { meta: { idempotency_key: 'in-meta' } };
      const ids = await submitted(gateway(), body, auth);
      expect(await submitted(gateway(), body, auth)).toEqual(ids);
      expect(await json(await post(body, 'in-meta'))).toEqual(ids);
      await expectProblem(await post(body, 'in-header'), 400, { field: 'meta.idempotency_key' });
    });

    test('still answers the first job after its end', async () => {
      const ids = await json(await post({}, 'ended'));
      const job = await start(gateway(), String(ids['job_id']));
      await finish(gateway(), job, { result: '{"n":1}' });
      const again = await post({}, 'ended', ann, '/api/v1/jobs?wait=5');
      expect(again.status).toBe(200);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await json(again)).toMatchObject({ ...ids, state: 'SUCCEEDED', result: { n: 1 } });
    });
  });
}
