// Who may ask: whoever has the token; without one this machine alone, and no web page that a browser here shows.
import { createHash, timingSafeEqual } from 'node:crypto';
import { notLocal } from '../../functions/http/loopback.ts';

export interface Refused {
  readonly status: 401 | 403;
  readonly error: string;
}

export interface Caller {
  readonly header: (name: string) => string | undefined;
  /** The address at the other end of the connection. */
  readonly peer: string | undefined;
}

/** Answers why a caller is refused, or undefined. */
export function createDoor(token: string | undefined): (caller: Caller) => Refused | undefined {
  if (token === undefined) {
    return ({ header, peer }) => {
      const why = notLocal({ peer, host: header('host'), origin: header('origin') });
      if (why === undefined) return undefined;
      return { status: 403, error: `NOPERM without REDIS_REST_TOKEN this machine alone is served: ${why.reason}` };
    };
  }
  // Digests are of one length, so that time tells nothing of a guess.
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return ({ header }) =>
    timingSafeEqual(expected, digest(header('authorization') ?? ''))
      ? undefined
      : { status: 401, error: 'WRONGPASS invalid or missing auth token' };
}
