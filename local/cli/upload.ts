// Uploads an archive part by part, only those that the gateway does not have yet. One that is away for a moment is asked again.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Call, type Client, ClientError } from './client.ts';
import { exit } from './exit.ts';
import type { Output } from './output.ts';
import { bytes } from './text.ts';

const begun = z.object({
  archive_ptr: z.string(),
  part_bytes: z.int().min(1),
  missing: z.array(z.int().min(0)),
});
const stored = z.object({ missing: z.int() });

/** How often one request is made at most. */
const tries = 8;

/** The pointer of the archive, all of which is there. Throws ClientError, and the signal's reason. */
export async function uploadArchive(
  client: Client,
  archive: Uint8Array<ArrayBuffer>,
  { out, signal }: { readonly out: Output; readonly signal: AbortSignal },
): Promise<string> {
  const call = async <T>(request: Call<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await client.call(request)).value;
      } catch (error) {
        if (!(error instanceof ClientError) || !error.passing || attempt === tries) throw error;
        // Too many requests: it says when to come back. No room: it does not.
        if (error.exitCode === exit.refused && error.retryAfter === undefined) throw error;
        await delay(error.retryAfter ?? 250 * attempt, undefined, { signal });
      }
    }
  };
  const begin = performance.now();
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const path = '/api/v1/archives';
  const place = await call({ method: 'POST', path, body: { sha256, bytes: archive.length }, schema: begun });
  const { archive_ptr, part_bytes: size, missing } = place;
  try {
    for (const [i, part] of missing.entries()) {
      const done = bytes(Math.min(archive.length, i * size));
      if (out.live) out.progress(`uploading: ${done} of ${bytes(archive.length)}`, (performance.now() - begin) / 1000);
      await call({
        method: 'POST',
        path: `${path}/${sha256}/parts/${part}`,
        bytes: archive.subarray(part * size, (part + 1) * size),
        schema: stored,
      });
    }
  } finally {
    out.done();
  }
  return archive_ptr;
}
