// One client of the stream of packets: what waits for it is bounded, who does not answer is let go, each end has its code.
import { expect, test } from 'vitest';
import type { JobEvent } from '#core/jobs/job.ts';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { createLeases, type StreamEnd } from '../../../functions/gateway/streams/leases.ts';
import type { Feed } from '../../../functions/gateway/streams/feed.ts';
import { closeCodes, servePackets } from '../../../functions/gateway/streams/packet-stream.ts';
import { pause } from '../../../functions/gateway/streams/patience.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';

const frame = 'x'.repeat(10_000);

interface Scene {
  readonly events?: number;
  readonly frames?: () => Promise<string[]>;
  readonly mostBytes?: number;
}

function scene({ events = 0, frames, mostBytes }: Scene = {}) {
  const clock = createFakeClock();
  const leases = createLeases({ clock, metrics: noopMetrics, streams: { lifetimeMs: 3_600_000 } });
  const lease = leases.take('websocket', 't', undefined);
  const all = Array.from({ length: events }, (_, i) => ({ id: `1-${i}`, job: 'j' }) as JobEvent);
  let told = 0;
  const feed: Feed = {
    async next(after, { ms, signal }) {
      const page = all.slice(told, told + 100);
      told += page.length;
      if (page.length > 0) return { events: page, cursor: page.at(-1)?.id ?? after, reset: false };
      await pause(clock, ms, signal);
      signal.throwIfAborted();
      return { events: [], cursor: after, reset: false };
    },
    close: () => undefined,
  };
  const sent: string[] = [];
  const closes: (readonly [number, string])[] = [];
  let waits = 0;
  let most = 0;
  let takes = true;
  let pings = 0;
  let cut = 0;
  const client = servePackets(
    { clock, log: silentLog, frames: async (_t, list) => (frames ? frames() : list.map(() => frame)) },
    { tenant: 't', lease, feed, beatMs: 15_000, after: '0-0', cursors: true, reset: false },
    {
      send(text) {
        sent.push(text);
        if (!takes) waits += text.length;
        most = Math.max(most, waits);
      },
      close: (...how) => void closes.push(how),
      terminate: () => void cut++,
      buffered: () => waits,
      ...(mostBytes === undefined ? {} : { mostBytes }),
      ping: () => void pings++,
    },
  );
  return {
    ...{ clock, leases, lease, client, sent, closes },
    deaf: () => {
      takes = false;
    },
    drain: () => {
      waits = 0;
    },
    most: () => most,
    pings: () => pings,
    cut: () => cut,
  };
}

test('a client that takes nothing holds a megabyte for ten seconds, and is closed', async () => {
  const { clock, deaf, most, closes, lease, leases, cut } = scene({ events: 5_000 });
  deaf();
  await clock.advance(9_000);
  expect(most()).toBeLessThan(1_100_000);
  expect(most()).toBeGreaterThan(1_000_000);
  expect(closes).toEqual([]);
  await clock.advance(1_200);
  expect(closes).toEqual([closeCodes.slow]);
  expect(lease.ended).toBe('slow');
  await clock.advance(2_000);
  expect([leases.open, cut(), clock.waiting]).toEqual([0, 1, 0]);
});

test('a client that takes again in time misses nothing', async () => {
  const { clock, client, deaf, drain, sent, closes, lease } = scene({ events: 1_000 });
  deaf();
  for (let i = 0; i < 20; i++) {
    await clock.advance(5_000);
    drain();
    client.pong();
  }
  expect(closes).toEqual([]);
  expect(sent.filter((text) => text === frame)).toHaveLength(1_000);
  expect(sent.filter((text) => text !== frame)).toHaveLength(1_001);
  lease.end('client');
});

test('who answers no ping is let go', async () => {
  const { clock, client, pings, leases, cut } = scene();
  for (let i = 0; i < 4; i++) {
    await clock.advance(15_000);
    client.pong();
  }
  expect([pings(), leases.open]).toEqual([4, 1]);
  await clock.advance(15_000);
  await clock.advance(15_000);
  expect([leases.open, cut(), clock.waiting]).toEqual([0, 1, 0]);
});

test('a store that is away is waited for; another fault ends the stream with its code', async () => {
  let tries = 0;
  const away = scene({
    events: 1,
    frames: async () => {
      if (++tries < 5) throw new CortexError('unavailable', 'away');
      return [frame];
    },
  });
  await away.clock.advance(4_000);
  expect(away.sent).toContain(frame);
  away.lease.end('client');
  const broken = scene({ events: 1, frames: async () => Promise.reject(new Error('a bug')) });
  await settle();
  expect(broken.closes).toEqual([closeCodes.failed]);
});

test.each(['lifetime', 'stopping', 'rude'] as const)(
  '%s is told by its code and ends within two seconds',
  async (why) => {
    const { clock, client, leases, closes, cut } = scene();
    await settle();
    if (why === 'lifetime') {
      for (let i = 0; i < 240; i++) {
        client.pong();
        await clock.advance(15_000);
      }
    } else if (why === 'stopping') leases.stop();
    else for (let i = 0; i < 101; i++) client.message();
    expect(closes).toEqual([closeCodes[why]]);
    expect(leases.open).toBe(1);
    await clock.advance(2_000);
    expect([leases.open, cut(), clock.waiting]).toEqual([0, 1, 0]);
  },
);

test('a close that the client answers gives the place back at once', async () => {
  const { client, leases, lease } = scene();
  leases.stop();
  client.closed();
  expect([leases.open, lease.ended]).toEqual([0, 'stopping' satisfies StreamEnd]);
  expect(() => leases.take('sse', 't', undefined)).toThrow('stopping');
});

test('where nobody tells what waits, it ends after so many bytes, with the cursor to go on from', async () => {
  const { sent, closes, lease } = scene({ events: 100, mostBytes: 200_000 });
  await settle(200);
  expect(lease.ended).toBe('lifetime');
  expect(closes).toEqual([closeCodes.lifetime]);
  const bytes = sent.reduce((sum, text) => sum + text.length, 0);
  expect(bytes).toBeGreaterThan(200_000);
  expect(bytes).toBeLessThan(200_000 + 2 * frame.length);
  expect(sent.at(-1)).toMatch(/^\{"cursor":"1-\d+"\}$/);
});
