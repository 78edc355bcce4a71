// NATS_URL, taken apart: the client itself reads no credentials from a URL. What is shown of it never holds a password.
import { invalid } from '#core/errors.ts';

export interface NatsUrl {
  /** `host:port`, each. */
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
