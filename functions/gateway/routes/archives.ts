// Uploading a repository for a review: POST /api/v1/archives makes room and says which parts are missing, each part is a request of its
// own, and a review then names the pointer. Parts are small, because a function holds a whole request and Redis by REST takes a megabyte.
import { z } from 'zod';
import { invalid } from '#core/errors.ts';
import { readBody, readJson } from '#core/http/body.ts';
import { archivePartBytes, archivePointer, isSha256, maxArchiveBytes } from '#core/protocol/archive-pointer.ts';
import { answer } from '../../http/answer.ts';
import { fields, parseFields } from '../../http/fields.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import type { AppContext, Route } from '../../http/route.ts';
import type { GatewayDeps } from '../deps.ts';

const beginBody = fields({
  sha256: z.string().refine(isSha256, 'must be the SHA-256 of the whole archive: 64 digits of hex in lower case'),
  bytes: z.int().min(1).max(maxArchiveBytes),
});

export function archiveRoutes({ archives }: Pick<GatewayDeps, 'archives'>): readonly Route[] {
  const begin = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const { tenant } = c.get('identity');
    const { sha256, bytes } = parseFields(beginBody, await readJson(c.req.raw, { maxBytes: 4096 }));
    const { missing, parts, expiresAt } = await archives.begin({ tenant, sha256, bytes });
    const archive_ptr = archivePointer(tenant, sha256);
    const expires_at = new Date(expiresAt).toISOString();
    return answer(c, { archive_ptr, part_bytes: archivePartBytes, parts, missing, expires_at });
  };
  const put = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const { tenant } = c.get('identity');
    const sha256 = c.req.param('sha256') ?? '';
    if (!isSha256(sha256)) throw invalid('sha256', 'must be 64 digits of hex in lower case');
    const part = c.req.param('part') ?? '';
    if (!/^\d{1,4}$/.test(part)) throw invalid('part', 'must be the number of a part, from 0');
    const bytes = await readBody(c.req.raw, { maxBytes: archivePartBytes });
    return answer(c, await archives.put({ tenant, sha256, part: Number(part), bytes }));
  };
  return [
    { method: 'POST', path: '/api/v1/archives', role: 'submitter', handle: begin },
    { method: 'POST', path: '/api/v1/archives/{sha256}/parts/{part}', role: 'submitter', handle: put },
  ];
}
