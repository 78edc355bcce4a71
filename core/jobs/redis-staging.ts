// Payloads over a transport that bounds its requests: what does not fit beside the rest of its job is staged first. The record is still
// the acceptance: until create took the payload over, all there is of the job is a key that ends by itself.
import { CortexError } from '#core/errors.ts';
import { type Arg, int } from '#core/redis/redis.ts';
import { cutAt, requestBytes } from '#core/redis/request-size.ts';
import type { Calls } from './redis-calls.ts';
import { stage, stagedMs } from './scripts/stage.ts';

/** What a request has beside a piece, about: the name of the command, the digest, the key, numbers. */
const besideBytes = 1_000;

const encoder = new TextEncoder();

/** Writes a payload into a partition for the next create. Answers what create takes instead of it: its name and its length. */
export async function stagePayload(calls: Calls, partition: number, payload: string): Promise<string> {
  const { redis, keys } = calls;
  const room = Math.max((redis.maxRequestBytes ?? Number.POSITIVE_INFINITY) - besideBytes, 1_000);
  const name = calls.random();
  const key = `${keys.prefix(partition)}stage:${name}`;
  let bytes = 0;
  for (let at = 0; at < payload.length; ) {
    const end = cutAt(payload, at, room);
    const piece = payload.slice(at, end);
    const before = bytes;
    bytes += encoder.encode(piece).length;
    if (int(await redis.run(stage, [key], [before, piece, stagedMs])) !== bytes) throw unstaged();
    at = end;
  }
  return `${name} ${bytes}`;
}

/** The staged payload ran out before its job was stored: nothing of the job was, and it may be sent again. */
export function unstaged(): CortexError {
  return new CortexError('unavailable', 'the payload took too long to write: nothing of the job was stored');
}

/** Whether the arguments of one item fit into a call by themselves. */
export function fits({ redis }: Calls, args: readonly Arg[]): boolean {
  return redis.maxRequestBytes === undefined || requestBytes(args) + besideBytes <= redis.maxRequestBytes;
}
