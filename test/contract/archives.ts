// What every archive store does: parts in any order, a tenant's own, so many bytes, for a while.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ArchiveLimits, Archives } from '#core/archives/archives.ts';
import { archivePartBytes as part } from '#core/protocol/archive-pointer.ts';

const a = { tenant: 'acme', sha256: 'a'.repeat(64) };
const b = { tenant: 'acme', sha256: 'b'.repeat(64) };
const content = new Uint8Array(randomBytes(2 * part + 1000));

/** `open` answers an empty store. */
export function testArchives(name: string, open: (limits?: Partial<ArchiveLimits>) => Promise<Archives>): void {
  describe(`archives in ${name}`, () => {
    test('parts in any order make the whole, and the same again is there already', async () => {
      const archives = await open();
      const bytes = content.length;
      const before = Date.now();
      const begun = await archives.begin({ ...a, bytes });
      expect(begun).toMatchObject({ parts: 3, missing: [0, 1, 2] });
      expect(begun.expiresAt).toBeGreaterThan(before + 3_590_000);
      expect(await archives.keep(a)).toBe('incomplete');
      expect(await archives.put({ ...a, part: 2, bytes: content.subarray(2 * part) })).toEqual({ missing: 2 });
      expect(await archives.put({ ...a, part: 0, bytes: content.subarray(0, part) })).toEqual({ missing: 1 });
      expect(await archives.read(a)).toBeUndefined();
      expect(await archives.begin({ ...a, bytes })).toMatchObject({ missing: [1] });
      expect(await archives.put({ ...a, part: 1, bytes: content.subarray(part, 2 * part) })).toEqual({ missing: 0 });
      expect(await archives.begin({ ...a, bytes })).toMatchObject({ missing: [] });
      expect(Buffer.from((await archives.read(a)) ?? []).equals(content)).toBe(true);
      expect(await archives.keep(a)).toBe('kept');
    });

    test('what a job names lives longer, and uploading it once more does not shorten that', async () => {
      const archives = await open();
      await archives.begin({ ...a, bytes: 3 });
      await archives.put({ ...a, part: 0, bytes: new Uint8Array(3) });
      await archives.keep(a);
      const until = (await archives.begin({ ...a, bytes: 3 })).expiresAt;
      expect(until).toBeGreaterThan(Date.now() + 47 * 3_600_000);
      await archives.drop(a);
      await archives.drop(a);
      expect(await archives.keep(a)).toBe('missing');
    });

    test('another tenant has nothing of it', async () => {
      const archives = await open();
      await archives.begin({ ...a, bytes: 3 });
      await archives.put({ ...a, part: 0, bytes: new Uint8Array(3) });
      const theirs = { ...a, tenant: 'other' };
      expect(await archives.read(theirs)).toBeUndefined();
      expect(await archives.keep(theirs)).toBe('missing');
      await archives.drop(theirs);
      await expect(archives.put({ ...theirs, part: 0, bytes: new Uint8Array(3) })).rejects.toMatchObject({
        ...{ code: 'not_found', field: 'sha256' },
      });
      expect(await archives.keep(a)).toBe('kept');
    });

    test('a part that does not fit changes nothing', async () => {
      const archives = await open();
      await archives.begin({ ...a, bytes: part + 2 });
      for (const [n, length, field] of [
        [0, part - 1, 'body'],
        [0, part + 1, 'body'],
        [1, 1, 'body'],
        [1, 3, 'body'],
        [2, 1, 'part'],
      ] as const) {
        const put = archives.put({ ...a, part: n, bytes: new Uint8Array(length) });
        await expect(put).rejects.toMatchObject({ code: 'invalid_argument', field });
      }
      expect(await archives.begin({ ...a, bytes: part + 2 })).toMatchObject({ missing: [0, 1] });
    });

    test('another size begins anew', async () => {
      const archives = await open({ tenantBytes: 10 });
      await archives.begin({ ...a, bytes: 8 });
      await archives.put({ ...a, part: 0, bytes: new Uint8Array(8) });
      expect(await archives.begin({ ...a, bytes: 9 })).toMatchObject({ missing: [0] });
      await expect(archives.begin({ ...b, bytes: 2 })).rejects.toMatchObject({ code: 'resource_exhausted' });
      await expect(archives.begin({ ...b, bytes: 1 })).resolves.toMatchObject({ missing: [0] });
    });

    test('a tenant has room for so many, and gets it back', async () => {
      const archives = await open({ tenantBytes: 100, tenantArchives: 2 });
      await archives.begin({ ...a, bytes: 60 });
      const full = archives.begin({ ...b, bytes: 41 });
      await expect(full).rejects.toMatchObject({ code: 'resource_exhausted', field: 'bytes' });
      await archives.begin({ ...b, bytes: 40 });
      const third = { tenant: 'acme', sha256: 'c'.repeat(64), bytes: 0 + 1 };
      await expect(archives.begin(third)).rejects.toMatchObject({ code: 'resource_exhausted' });
      await expect(archives.begin({ ...third, tenant: 'other' })).resolves.toMatchObject({ missing: [0] });
      await archives.drop(a);
      await expect(archives.begin(third)).resolves.toMatchObject({ missing: [0] });
    });

    test('what nobody names goes by itself', async () => {
      const archives = await open({ idleMs: 1, tenantArchives: 1 });
      await archives.begin({ ...a, bytes: 60 });
      await expect.poll(() => archives.keep(a)).toBe('missing');
      await expect(archives.begin({ ...b, bytes: 60 })).resolves.toMatchObject({ missing: [0] });
    });
  });
}
