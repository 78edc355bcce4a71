// Uploading a repository: room, parts in any order, and the review that names it; what does not fit is refused and changes nothing.
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { archivePartBytes as part } from '#core/protocol/archive-pointer.ts';
import { json, storedPacket, storedPayload } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const digest = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

export function testArchives(make: MakeGateway): void {
  describe('archives', () => {
    const gateway = gatewayFor(make);
    const begin = (body: unknown): Promise<Response> =>
      gateway().request('/api/v1/archives', { method: 'POST', body: JSON.stringify(body) });
    const put = (sha256: string, n: number | string, body: BodyInit): Promise<Response> =>
      gateway().request(`/api/v1/archives/${sha256}/parts/${n}`, { method: 'POST', body });
    const review = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
      gateway().request('/api/v1/repo-review', { method: 'POST', body: JSON.stringify(body), headers });

    test('are uploaded in parts and named by a review', async () => {
      const content = randomBytes(2 * part + 10);
      const sha256 = digest(content);
      const archive_ptr = `redis://archive:default:${sha256}`;
      const begun = await json(await begin({ sha256, bytes: content.length }));
      expect(begun).toMatchObject({ archive_ptr, part_bytes: part, parts: 3, missing: [0, 1, 2] });
      expect(Date.parse(String(begun['expires_at']))).toBeGreaterThan(Date.now());
      await expectProblem(await review({ archive_ptr }), 409, { field: 'archive_ptr', detail: 'parts' });
      for (const [n, missing] of [
        [2, 2],
        [0, 1],
        [0, 1],
        [1, 0],
      ] as const) {
        const answer = await put(sha256, n, content.subarray(n * part, (n + 1) * part));
        expect(await json(answer)).toEqual({ missing });
      }
      expect(await json(await begin({ sha256, bytes: content.length }))).toMatchObject({ missing: [] });

      const accepted = await review({ archive_ptr });
      expect(accepted.status).toBe(202);
      const id = String((await json(accepted))['job_id']);
      expect(await storedPayload(gateway(), id)).toMatchObject({ archive_ptr, local_path: '', repo_url: '' });
      expect((await storedPacket(gateway(), id)).request.env['memory_id']).toBe(`repo:${id}`);
      // As long as the job may wait, and a day more.
      const later = await json(await begin({ sha256, bytes: content.length }));
      expect(Date.parse(String(later['expires_at']))).toBeGreaterThan(Date.now() + 47 * 3_600_000);
    });

    test('of the same content are the same submission', async () => {
      const content = randomBytes(100);
      const sha256 = digest(content);
      const ids: unknown[] = [];
      for (let i = 0; i < 2; i++) {
        const { archive_ptr, missing } = await json(await begin({ sha256, bytes: 100 }));
        if ((missing as number[]).length > 0) await put(sha256, 0, content);
        ids.push((await json(await review({ archive_ptr }, { 'Idempotency-Key': 'one' })))['job_id']);
      }
      expect(ids[0]).toBe(ids[1]);
    });

    test.each([
      [{}, 'sha256', ''],
      [{ sha256: 'A'.repeat(64), bytes: 1 }, 'sha256', 'lower case'],
      [{ sha256: '../x', bytes: 1 }, 'sha256', '64 digits'],
      [{ sha256: 'a'.repeat(64) }, 'bytes', ''],
      [{ sha256: 'a'.repeat(64), bytes: 0 }, 'bytes', 'at least 1'],
      [{ sha256: 'a'.repeat(64), bytes: 1.5 }, 'bytes', 'whole number'],
      [{ sha256: 'a'.repeat(64), bytes: 64 * 2 ** 20 + 1 }, 'bytes', 'at most 67108864'],
    ])('%j is refused', async (body, field, detail) => {
      await expectProblem(await begin(body), 400, { code: 'invalid_argument', field, detail });
    });

    test('parts that do not fit are refused', async () => {
      const sha256 = 'b'.repeat(64);
      await expectProblem(await put(sha256, 0, 'x'), 404, { field: 'sha256' });
      await begin({ sha256, bytes: 3 });
      await expectProblem(await put(sha256, 0, 'x'), 400, { field: 'body', detail: 'part 0 has 3' });
      await expectProblem(await put(sha256, 1, 'xxx'), 400, { field: 'part', detail: '1 parts' });
      await expectProblem(await put(sha256, '-1', 'xxx'), 400, { field: 'part' });
      await expectProblem(await put(sha256, 'x', 'xxx'), 400, { field: 'part' });
      await expectProblem(await put('x', 0, 'xxx'), 400, { field: 'sha256' });
      await expectProblem(await put(sha256, 0, new Uint8Array(part + 1)), 413, { field: 'body' });
      expect(await json(await begin({ sha256, bytes: 3 }))).toMatchObject({ missing: [0] });
    });

    test('a tenant has no room for a fifth of the largest size', async () => {
      const statuses: number[] = [];
      for (const c of ['1', '2', '3', '4', '5', '6']) {
        statuses.push((await begin({ sha256: c.repeat(64), bytes: 64 * 2 ** 20 })).status);
      }
      expect(statuses.at(-1)).toBe(429);
      await expectProblem(await begin({ sha256: '7'.repeat(64), bytes: 64 * 2 ** 20 }), 429, { field: 'bytes' });
    });
  });
}
