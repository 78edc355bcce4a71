// What every archive store says when it refuses.
import { CortexError, invalid } from '#core/errors.ts';

interface Room {
  readonly archives: number;
  readonly bytes: number;
}

export function noRoom(used: Room, room: Room): CortexError {
  const problem =
    `bytes: the tenant has ${used.archives} archives with ${used.bytes} bytes, and room for ${room.archives} with ` +
    `${room.bytes} bytes; the oldest go by themselves`;
  return new CortexError('resource_exhausted', problem, { field: 'bytes' });
}

export function notBegun(): CortexError {
  return new CortexError('not_found', 'sha256: there is no such archive; begin it first', { field: 'sha256' });
}

export function badPart(parts: number): CortexError {
  return invalid('part', `the archive has ${parts} parts, from 0`);
}

export function badBytes(part: number, bytes: number, due: number): CortexError {
  return invalid('body', `has ${bytes} bytes, and part ${part} has ${due}`);
}
