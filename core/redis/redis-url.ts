// REDIS_URL, taken apart. What is shown of it never holds a password.
import { invalid } from '#core/errors.ts';

export interface RedisUrl {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** For logs and errors. */
  readonly shown: string;
}

/** Reads `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS. Throws invalid_argument. */
export function parseRedisUrl(text: string): RedisUrl {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw invalid('url', `cannot be read (${error instanceof Error ? error.message : 'unknown'})`);
  }
  const tls = url.protocol === 'rediss:';
  const db = /^\/?(\d{0,4})$/.exec(url.pathname)?.[1];
  if ((!tls && url.protocol !== 'redis:') || url.hostname === '' || db === undefined) {
    throw invalid('url', 'must be redis://[user:password@]host[:port][/db], or rediss:// for TLS');
  }
  const port = url.port === '' ? 6379 : Number(url.port);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    db: Number(db),
    tls,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    shown: `${url.protocol}//${url.hostname}:${port}${db === '' ? '' : `/${db}`}`,
  };
}
