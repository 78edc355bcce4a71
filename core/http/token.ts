// The door of a service for our own callers: one shared secret as a bearer token, the same for Connect and gRPC.
import type { HandlerContext } from '@connectrpc/connect';
import { sha256 } from '@noble/hashes/sha2.js';
import { CortexError } from '#core/errors.ts';

/** Lets only calls with the token through, by their headers; for others it throws CortexError `unauthenticated` with these words. */
export function requireToken(token: string, problem: string): (context: Pick<HandlerContext, 'requestHeader'>) => void {
  const encoder = new TextEncoder();
  const expected = sha256(encoder.encode(`Bearer ${token}`));
  return ({ requestHeader }) => {
    const given = sha256(encoder.encode(requestHeader.get('Authorization') ?? ''));
    // Digests are compared whole, so that time tells nothing about how much of a guess was right.
    const difference = expected.reduce((sum, byte, i) => sum | (byte ^ (given[i] ?? 0)), 0);
    if (difference !== 0) {
      throw new CortexError('unauthenticated', problem);
    }
  };
}
