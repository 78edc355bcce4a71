// Every request has an id: the caller's `X-Request-Id` where it is harmless, else a fresh one. It goes back in the answer and into each
// log line and problem. It is not the trace id of a job.
import type { Ids } from '#core/system.ts';

export const requestIdHeader = 'X-Request-Id';

/** The id of a request with this header. */
export function requestIdOf(header: string | undefined, ids: Pick<Ids, 'random'>): string {
  return header !== undefined && /^[A-Za-z0-9._-]{1,128}$/.test(header) ? header : ids.random();
}
