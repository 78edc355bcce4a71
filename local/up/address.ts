// Addresses as people write them: `host:port`, `:port` or a port alone. Parsing only, nothing is opened.

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const LOOPBACK = '127.0.0.1';

/** Reads an address; undefined when it is none. The host is loopback where the text names none. */
export function parseAddress(text: string): Address | undefined {
  const match = text.trim().match(/^(?:(.*):)?(\d{1,5})$/);
  if (match === null) return undefined;
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  const port = Number(match[2]);
  if (port > 65_535 || /[\s/]/.test(host)) return undefined;
  return { host: host === '' ? LOOPBACK : host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where to reach what listens on an address: an address for all interfaces cannot be dialled. */
export function dialAddress({ host, port }: Address): Address {
  return { host: host === '0.0.0.0' || host === '::' ? LOOPBACK : host, port };
}

export function urlOf(address: Address, scheme = 'http'): string {
  return `${scheme}://${formatAddress(dialAddress(address))}`;
}
