// Bodies that are too large, too deep, not JSON, or made to hurt: refused before anything is stored.
import { describe, expect, test } from 'vitest';
import { json, storedPayload, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const nested = (depth: number): string => `{"context":${'['.repeat(depth)}${']'.repeat(depth)}}`;

export function testLimits(make: MakeGateway): void {
  describe('bodies', () => {
    const gateway = gatewayFor(make);
    const post = (body: BodyInit, headers: Record<string, string> = {}): Promise<Response> =>
      gateway().request('/api/v1/jobs', { method: 'POST', body, headers });

    test.each([
      ['nothing', '', 'is empty'],
      ['blanks', ' \n', 'is empty'],
      ['half an object', '{"prompt":"a"', 'is not JSON'],
      ['two values', '{} {}', 'is not JSON'],
      ['single quotes', "{'prompt':'a'}", 'is not JSON'],
      ['NaN', '{"max_input_tokens":NaN}', 'is not JSON'],
      ['form data', 'prompt=a&topic=b', 'is not JSON'],
    ])('%s', async (_, body, detail) => {
      await expectProblem(await post(body), 400, { code: 'invalid_argument', field: 'body', detail });
    });

    test('bytes that are not UTF-8', async () => {
      const body = new Uint8Array([...new TextEncoder().encode('{"prompt":"'), 0xff, 0xfe, 0x22, 0x7d]);
      await expectProblem(await post(body), 400, { field: 'body', detail: 'UTF-8' });
    });

    test('64 levels are taken and 65 are not', async () => {
      expect((await post(nested(63))).status).toBe(202);
      await expectProblem(await post(nested(64)), 400, { field: 'body', detail: 'levels deep' });
      await expectProblem(await post(nested(500_000)), 400, { field: 'body', detail: 'levels deep' });
    });

    test('2 MiB are taken and a byte more is not', async () => {
      const envelope = '{"context":""}'.length;
      const body = (bytes: number): string => `{"context":"${'x'.repeat(bytes - envelope)}"}`;
      const limit = 2 * 1024 * 1024;
      expect((await post(body(limit))).status).toBe(202);
      await expectProblem(await post(body(limit + 1)), 413, { field: 'body' });
    });

    test('a body without a length is cut off at the limit', async () => {
      let sent = 0;
      const chunk = new Uint8Array(64 * 1024).fill(0x20);
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += chunk.length;
          if (sent > 64 * 1024 * 1024) controller.close();
          else controller.enqueue(chunk);
        },
      });
      // A server that has heard enough may hang up before the client has said all.
      const outcome = await gateway()
        .request('/api/v1/jobs', { method: 'POST', body, duplex: 'half' } as RequestInit)
        .then(
          (response) => response.status,
          () => 413,
        );
      expect(outcome).toBe(413);
      expect(sent).toBeLessThan(64 * 1024 * 1024);
    });

    test('a compressed body', async () => {
      await expectProblem(await post('{}', { 'content-encoding': 'gzip' }), 415, { field: 'Content-Encoding' });
    });

    test.each([
      ['plainly', '{"context":{"__proto__":{"admin":true}}}', 'context.__proto__'],
      ['escaped', '{"\\u005f_proto__":{"admin":true}}', '__proto__'],
      ['in labels', '{"labels":{"__proto__":"x"}}', 'labels.__proto__'],
    ])('a __proto__ %s', async (_, body, field) => {
      await expectProblem(await post(body), 400, { field });
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    });

    test('constructor and prototype are names like any other', async () => {
      const context = { constructor: { prototype: { polluted: true } }, toString: 'x', hasOwnProperty: 1 };
      const { job_id } = await submitted(gateway(), { context, labels: { constructor: 'x', toString: 'y' } });
      expect((await storedPayload(gateway(), job_id))['context']).toEqual(context);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    });

    test('an odd but valid body is answered like any other', async () => {
      const response = await post('\t{"prompt":"\\u0000\\ud83d\\ude00","prompt":"last wins"}\r\n');
      expect(response.status).toBe(202);
      const { job_id } = await json(response);
      expect((await storedPayload(gateway(), String(job_id)))['prompt']).toBe('last wins');
    });
  });
}
