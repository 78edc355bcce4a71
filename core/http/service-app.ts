// What an app of a service for our own callers says beside its methods: to a path that is not there, and of what goes wrong.
import type { Hono } from 'hono';
import { CortexError, toCortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import { httpStatus, problemResponse } from './errors.ts';
import { unservedCall } from './unserved.ts';

/** Mounted behind all routes. */
export function mountRest(app: Hono, log: Pick<Log, 'error'>): void {
  app.notFound(
    (c) => unservedCall(c.req.raw) ?? problemResponse(new CortexError('not_found', 'there is nothing at this path')),
  );
  app.onError((error) => {
    if (httpStatus(toCortexError(error)) >= 500) log.error('a request failed', { error });
    return problemResponse(error);
  });
}
