// The body of server-sent events: pulled by its reader; one that stops to read, or never begins, gives its place back.
import { expect, test } from 'vitest';
import { noopMetrics } from '#core/metrics/noop.ts';
import { eventStream } from '../../../functions/gateway/streams/event-stream.ts';
import { createLeases } from '../../../functions/gateway/streams/leases.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';

function scene() {
  const clock = createFakeClock();
  const leases = createLeases({ clock, metrics: noopMetrics });
  const gone = new AbortController();
  const lease = leases.take('sse', 't', gone.signal);
  const state = { made: 0, finished: false };
  async function* text(): AsyncGenerator<string> {
    try {
      while (!lease.signal.aborted) {
        state.made++;
        yield await Promise.resolve(`: ${state.made}\n\n`);
      }
      yield 'event: bye\n\n';
    } finally {
      state.finished = true;
    }
  }
  const reader = eventStream(text(), lease, clock).getReader();
  const read = async (): Promise<string | undefined> => {
    const { value } = await reader.read();
    return value === undefined ? undefined : new TextDecoder().decode(value);
  };
  return { clock, leases, lease, gone, state, reader, read };
}

test('nothing is made before it is asked for', async () => {
  const { state, read, reader, leases, clock } = scene();
  await settle();
  expect(state.made).toBe(0);
  expect(await read()).toBe(': 1\n\n');
  await settle();
  expect(state.made).toBe(1);
  await reader.cancel();
  expect([leases.open, clock.waiting]).toEqual([0, 0]);
});

test.each([0, 1])('who stops to read after %i pieces is let go within half a minute', async (pieces) => {
  const { clock, leases, lease, read } = scene();
  for (let i = 0; i < pieces; i++) await read();
  await clock.advance(29_000);
  expect(leases.open).toBe(1);
  await clock.advance(3_000);
  expect([lease.ended, leases.open, clock.waiting]).toEqual(['slow', 0, 0]);
  await expect(read()).rejects.toThrow('slow');
});

test('who is there hears the last word, and then it is over', async () => {
  const { leases, read, clock } = scene();
  await read();
  leases.stop();
  expect(await read()).toBe('event: bye\n\n');
  expect(await read()).toBeUndefined();
  expect([leases.open, clock.waiting]).toEqual([0, 0]);
});

test('a request that is gone gives its place back at once', async () => {
  const { leases, lease, gone, clock } = scene();
  gone.abort();
  expect([lease.ended, leases.open, clock.waiting]).toEqual(['client', 0, 0]);
  await settle();
});

test('a tenant has so many places, the process so many, and each comes back once', () => {
  const clock = createFakeClock();
  const leases = createLeases({ clock, metrics: noopMetrics, streams: { max: 3, maxPerTenant: 2 } });
  const take = (tenant: string) => leases.take('sse', tenant, undefined);
  const [first] = [take('a'), take('a')];
  expect(() => take('a')).toThrow('2 streams');
  take('b');
  expect(() => take('b')).toThrow('all streams');
  first.release();
  first.release();
  first.end('client');
  take('b');
  expect(() => take('c')).toThrow('all streams');
  expect(leases.open).toBe(3);
});
