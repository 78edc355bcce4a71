// NATS_URL in all its spellings, and no password in what is shown.
import { expect, test } from 'vitest';
import { parseNatsUrl } from '#core/bus/nats-url.ts';

test.each([
  ['nats://localhost:4222', { servers: ['localhost:4222'], shown: 'nats://localhost:4222', tls: false }],
  ['localhost', { servers: ['localhost:4222'], shown: 'nats://localhost:4222', tls: false }],
  ['10.0.0.1:80/', { servers: ['10.0.0.1:80'], shown: 'nats://10.0.0.1:80', tls: false }],
  ['tls://[::1]:4443', { servers: ['[::1]:4443'], shown: 'tls://[::1]:4443', tls: true }],
  ['nats://a, nats://b:1', { servers: ['a:4222', 'b:1'], shown: 'nats://a:4222,nats://b:1', tls: false }],
  ['nats://me:p%40ss%3A1@a:1', { servers: ['a:1'], shown: 'nats://a:1', tls: false, user: 'me', pass: 'p@ss:1' }],
  ['nats://t0ken@a', { servers: ['a:4222'], shown: 'nats://a:4222', tls: false, token: 't0ken' }],
])('%s', (text, parsed) => {
  expect(parseNatsUrl(text)).toEqual(parsed);
});

test.each(['', ' ', ',', 'nats://', 'nats://a:port', 'redis://a', 'ws://a', 'nats://a/b', 'nats://a,'])(
  '%j is refused',
  (text) => {
    expect(() => parseNatsUrl(text)).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'url' }));
  },
);
