// The parts of the gateway's door that no request over loopback reaches: other machines, and buckets over time.
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { isLoopbackAddress, notLocal } from '../../../functions/http/loopback.ts';
import { createRateLimit } from '../../../functions/http/rate-limit.ts';

describe('from this machine', () => {
  test.each(['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])('%s is', (address) => {
    expect(isLoopbackAddress(address)).toBe(true);
  });
  test.each(['10.0.0.1', '192.168.1.2', '::', '0.0.0.0', '::ffff:10.0.0.1', 'fe80::1', '', '128.0.0.1', '2130706433'])(
    '%s is not',
    (address) => {
      expect(isLoopbackAddress(address)).toBe(false);
      const wrong = notLocal({ peer: address, host: 'localhost', origin: undefined });
      expect(wrong).toEqual({ reason: 'it did not come from this machine' });
    },
  );
  test('who cannot be told is not', () => {
    expect(notLocal({ peer: undefined, host: 'localhost', origin: undefined })).toBeDefined();
    expect(notLocal({ peer: '::1', host: undefined, origin: undefined })).toBeDefined();
  });
});

describe('a rate limit', () => {
  const allowed = (limit: ReturnType<typeof createRateLimit>, bucket: string, now: number): number => {
    for (let n = 0; ; n++) {
      try {
        limit.take(bucket, now);
      } catch (error) {
        expect(error).toBeInstanceOf(CortexError);
        return n;
      }
      if (n > 1_000) return n;
    }
  };

  test('gives the burst at once and then the rate', () => {
    const limit = createRateLimit({ perSecond: 10, burst: 20 });
    expect(allowed(limit, 'a', 0)).toBe(20);
    expect(allowed(limit, 'a', 0)).toBe(0);
    expect(allowed(limit, 'a', 500)).toBe(5);
    expect(allowed(limit, 'a', 60_000)).toBe(20);
    expect(allowed(limit, 'b', 60_000)).toBe(20);
  });

  test('refusals cost nothing', () => {
    const limit = createRateLimit({ perSecond: 1, burst: 1 });
    expect(allowed(limit, 'a', 0)).toBe(1);
    for (let i = 1; i < 10; i++) expect(allowed(limit, 'a', i * 10)).toBe(0);
    expect(allowed(limit, 'a', 1_000)).toBe(1);
  });

  test('remembers a bounded number of buckets', () => {
    const limit = createRateLimit({ perSecond: 1, burst: 2, maxBuckets: 3 });
    for (const name of ['a', 'b', 'c']) expect(allowed(limit, name, 0)).toBe(2);
    expect(allowed(limit, 'd', 0)).toBe(2); // the oldest, a, goes
    expect(allowed(limit, 'b', 0)).toBe(0);
    expect(allowed(limit, 'a', 0)).toBe(2);
  });
});
