// Gives every request an id: the caller's `X-Request-Id` where it is harmless, else a fresh one. It goes back in the answer and
// into each log line and problem. It is not the trace id of a job.
import { createMiddleware } from 'hono/factory';
import type { Ids } from '#core/system.ts';

export interface RequestIdEnv {
  Variables: { requestId: string };
}

export const requestIdHeader = 'X-Request-Id';

/** Sets `requestId` and the header of the answer. */
export function requestId(ids: Pick<Ids, 'random'>) {
  return createMiddleware<RequestIdEnv>(async (c, next) => {
    const given = c.req.header(requestIdHeader) ?? '';
    const id = /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : ids.random();
    c.set('requestId', id);
    await next();
    c.res.headers.set(requestIdHeader, id);
  });
}
