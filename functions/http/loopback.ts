// Whether a request comes from this machine and means this machine. A browser here may be sent by any web page: a page whose
// name was made to point to 127.0.0.1 shows in Host, a page that simply posts to 127.0.0.1 shows in Origin.
import { isLoopback } from '#core/process/address.ts';

export interface Origins {
  /** The address at the other end of the connection; undefined where the runtime does not tell. */
  readonly peer: string | undefined;
  /** The Host header or :authority, with or without port. */
  readonly host: string | undefined;
  /** The Origin header. */
  readonly origin: string | undefined;
}

export interface NotLocal {
  readonly reason: string;
  /** The header that is to blame. */
  readonly field?: string;
}

/** What is wrong with the request as one from this machine to itself, or undefined. */
export function notLocal({ peer, host, origin }: Origins): NotLocal | undefined {
  if (peer === undefined || !isLoopbackAddress(peer)) return { reason: 'it did not come from this machine' };
  if (host === undefined || !isLoopbackName(host))
    return { reason: 'its Host header does not name this machine', field: 'Host' };
  if (origin !== undefined && !isLoopbackOrigin(origin))
    return { reason: 'a web page of another origin sent it', field: 'Origin' };
  return undefined;
}

/** Whether an address of a socket is of this machine; IPv4 may come inside IPv6. */
export function isLoopbackAddress(address: string): boolean {
  return isLoopback({ host: address.replace(/^::ffff:/i, ''), port: 0 });
}

function isLoopbackName(hostAndPort: string): boolean {
  const match = /^(?:\[([0-9A-Fa-f:]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(hostAndPort);
  if (match === null) return false;
  return isLoopback({ host: (match[1] ?? match[2] ?? '').toLowerCase(), port: 0 });
}

function isLoopbackOrigin(origin: string): boolean {
  const match = /^https?:\/\/([^/]+)$/.exec(origin);
  return match !== null && isLoopbackName(match[1] ?? '');
}
