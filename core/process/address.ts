// A network address as configuration writes it: `host:port`, `:port` (every interface), `[::1]:port`. Names are not resolved here.

export interface Address {
  /** Empty means every interface when listening, this machine when dialling. */
  readonly host: string;
  /** 0 asks the operating system for a free one. */
  readonly port: number;
}

/** The address in a text, or undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  return Object.freeze({ host: match[1] ?? match[2] ?? '', port });
}

/** `host:port`, with brackets around IPv6. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where a client on this machine finds what listens on an address: `http://127.0.0.1:9090`. */
export function addressUrl(address: Address, scheme = 'http'): string {
  const everywhere = address.host === '' || address.host === '0.0.0.0' || address.host === '::';
  return `${scheme}://${formatAddress(everywhere ? { ...address, host: '127.0.0.1' } : address)}`;
}

/** Whether only this machine can reach what listens there. */
export function isLoopback({ host }: Address): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
