// A token bucket per key, whatever tenants it acts for, in this process alone: two gateways allow twice as much. Off unless it is configured.
import { HttpError } from '#core/http/errors.ts';

export interface RateLimit {
  /** Takes one token. Throws HttpError 429 with Retry-After when there is none. `now` is monotonic, ms. */
  take(bucket: string, now: number): void;
}

export interface RateLimitOptions {
  /** Tokens that come back per second. */
  readonly perSecond: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
  /** Buckets remembered at most; full ones are forgotten first. Default 10,000. */
  readonly maxBuckets?: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

export function createRateLimit({ perSecond, burst, maxBuckets = 10_000 }: RateLimitOptions): RateLimit {
  const buckets = new Map<string, Bucket>();
  const refill = (bucket: Bucket, now: number): void => {
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
  };
  const forgetFull = (now: number): void => {
    for (const [name, bucket] of buckets) {
      refill(bucket, now);
      if (bucket.tokens >= burst) buckets.delete(name);
    }
    // All in use at once: the oldest goes, and is full again when it comes back.
    const [oldest] = buckets.keys();
    if (buckets.size >= maxBuckets && oldest !== undefined) buckets.delete(oldest);
  };
  return {
    take(name, now) {
      let bucket = buckets.get(name);
      if (bucket === undefined) {
        if (buckets.size >= maxBuckets) forgetFull(now);
        bucket = { tokens: burst, at: now };
        buckets.set(name, bucket);
      } else refill(bucket, now);
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return;
      }
      const seconds = Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond));
      throw new HttpError(
        429,
        'resource_exhausted',
        `rate limited: more than ${perSecond} requests a second with this key`,
        {
          headers: { 'retry-after': String(seconds) },
        },
      );
    },
  };
}
