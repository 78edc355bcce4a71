// NATS_URL, taken apart: the client itself reads no credentials from a URL. What is shown of it never holds a password.
import { invalid } from '#core/errors.ts';

export interface NatsUrl {
  /** `host:port`, each; over WebSocket the whole address without credentials. */
  readonly servers: readonly string[];
  /** For logs and errors. */
  readonly shown: string;
  readonly tls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

/**
 * Reads `nats://user:password@host:port`, `nats://token@host`, `tls://host`, `host:port`, or several with commas between.
 * Throws invalid_argument.
 */
export function parseNatsUrl(text: string): NatsUrl {
  const urls = text.split(',').map((one) => parseOne(one.trim()));
  const first = urls[0];
  if (first === undefined) throw invalid('url', 'is empty');
  const { username, password } = urls.find((url) => url.username !== '') ?? first;
  return {
    servers: urls.map((url) => url.host),
    shown: urls.map((url) => `${url.tls ? 'tls' : 'nats'}://${url.host}`).join(','),
    tls: urls.some((url) => url.tls),
    ...(username !== '' && (password === '' ? { token: username } : { user: username, pass: password })),
  };
}

/**
 * Reads `ws://user:password@host:port/path`, `wss://token@host`, or several with commas between. Throws invalid_argument.
 */
export function parseNatsWsUrl(text: string): NatsUrl {
  const urls = text.split(',').map((one) => {
    const url = URL.canParse(one.trim()) ? new URL(one.trim()) : undefined;
    if (url === undefined || !['ws:', 'wss:'].includes(url.protocol))
      throw invalid('url', 'must be ws://host:port or wss://host:port');
    return url;
  });
  const bare = urls.map(({ protocol, host, pathname }) => `${protocol}//${host}${pathname === '/' ? '' : pathname}`);
  const named = urls.find(({ username }) => username !== '');
  const name = decodeURIComponent(named?.username ?? '');
  const pass = decodeURIComponent(named?.password ?? '');
  return {
    servers: bare,
    shown: bare.join(','),
    tls: urls.some(({ protocol }) => protocol === 'wss:'),
    ...(name !== '' && (pass === '' ? { token: name } : { user: name, pass })),
  };
}

function parseOne(text: string): { host: string; tls: boolean; username: string; password: string } {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `nats://${text}`);
  } catch (error) {
    throw invalid('url', `cannot be read (${error instanceof Error ? error.message : 'unknown'})`);
  }
  const tls = url.protocol === 'tls:';
  if ((!tls && url.protocol !== 'nats:') || url.hostname === '' || !['', '/'].includes(url.pathname)) {
    throw invalid('url', 'must be nats://host:port or tls://host:port');
  }
  return {
    host: `${url.hostname}:${url.port === '' ? '4222' : url.port}`,
    tls,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
