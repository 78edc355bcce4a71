// REDIS_URL in all its spellings, and no password in what is shown.
import { expect, test } from 'vitest';
import { parseRedisUrl } from '#core/redis/redis-url.ts';

const plain = { host: 'localhost', port: 6379, db: 0, tls: false, username: undefined, password: undefined };

test.each([
  ['redis://localhost', { ...plain, shown: 'redis://localhost:6379' }],
  ['redis://localhost:1/', { ...plain, port: 1, shown: 'redis://localhost:1' }],
  ['redis://localhost/12', { ...plain, db: 12, shown: 'redis://localhost:6379/12' }],
  ['rediss://[::1]:80', { ...plain, host: '::1', port: 80, tls: true, shown: 'rediss://[::1]:80' }],
  ['redis://:p%40ss@localhost', { ...plain, password: 'p@ss', shown: 'redis://localhost:6379' }],
  ['redis://me:se:cret@localhost', { ...plain, username: 'me', password: 'se:cret', shown: 'redis://localhost:6379' }],
])('%s', (text, parsed) => {
  expect(parseRedisUrl(text)).toEqual(parsed);
});

test.each(['', 'localhost', 'redis:', 'redis://', 'redis://a:port', 'http://a', 'redis://a/b', 'redis://a/1/2'])(
  '%j is refused',
  (text) => {
    expect(() => parseRedisUrl(text)).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'url' }));
  },
);
