// The follower against a model: news that is lost, doubled, mixed up or nonsense, silence, a store that is away, a stream that forgets its
// beginning, followers that come and go. Each event reaches each follower once and in order, or it is told that some are gone.
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { beforeFirst, compareIds, eventsAfter, isEventId, takePage } from '#core/jobs/follow.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { silentLog } from '#core/log.ts';
import { createFeed, type FeedOptions } from '../../../functions/gateway/streams/feed.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';
import { createRandom, type Random } from '../../helpers/random.ts';

/** A tenant's stream as Redis has it, and all that ever was in it. */
function createStream() {
  const all: JobEvent[] = [];
  let kept = 0;
  let ms = 1_000;
  let seq = 0;
  let failures = 0;
  let reads = 0;
  const answer = async <T>(make: () => T): Promise<T> => {
    reads++;
    // As of now, and heard of some turns later.
    const value = failures > 0 ? undefined : make();
    const turns = reads % 4;
    for (let i = 0; i < turns; i++) await Promise.resolve();
    if (failures === 0 && value !== undefined) return value;
    failures = Math.max(0, failures - 1);
    throw new CortexError('unavailable', 'the store is away');
  };
  const store: Pick<JobStore, 'events' | 'standing'> = {
    events: (_tenant, after, limit) => answer(() => eventsAfter(all.slice(kept), after).slice(0, limit)),
    standing: () => answer(() => ({ at: all.at(-1)?.id ?? '', jobs: [] })),
  };
  return {
    all,
    store,
    reads: () => reads,
    add(job: string, sameMs: boolean): JobEvent {
      if (sameMs) seq++;
      else {
        ms++;
        seq = 0;
      }
      const prev = all.at(-1)?.id ?? '';
      const event: JobEvent = { id: `${ms}-${seq}`, prev, tenant: 't', job, state: 'PENDING', fence: '0', ts: ms };
      all.push(event);
      return event;
    },
    trim: (n: number) => {
      kept = Math.max(kept, all.length - n);
    },
    gone: (after: string) => all.slice(0, kept).some(({ id }) => compareIds(id, after) > 0),
    fail: (n: number) => {
      failures = n;
    },
  };
}

function scene(options: Partial<FeedOptions> = {}) {
  const clock = createFakeClock();
  const stream = createStream();
  const ears = new Set<() => void>();
  let subscribed = 0;
  const open = () =>
    createFeed({
      ...{ store: stream.store, clock, log: silentLog, tenant: 't' },
      subscribe: async (heard) => {
        subscribed++;
        ears.add(heard);
        return { close: async () => void ears.delete(heard) };
      },
      ...options,
    });
  const ring = (): void => {
    for (const heard of ears) heard();
  };
  return { clock, stream, open, ring, ears, subscribed: () => subscribed };
}

const never = new AbortController().signal;

describe('positions', () => {
  test('are ordered as numbers', () => {
    expect(['10-0', '9-5', '9-10', '0-0', ''].toSorted(compareIds)).toEqual(['0-0', '', '9-5', '9-10', '10-0']);
    expect(['1-1', '0-0', '1700000000000-12'].every(isEventId)).toBe(true);
    expect(['', '$', '1', '1-', '-1', '1-1-1', '1e3-0', ' 1-1'].some(isEventId)).toBe(false);
  });

  test('a page goes on, or tells from where nothing is missing', () => {
    const event = (id: string, prev: string) => ({ id, prev }) as JobEvent;
    const page = [event('5-0', '4-0'), event('6-0', '5-0')];
    expect(takePage('4-0', page)).toMatchObject({ last: '6-0', reset: undefined });
    expect(takePage('', page)).toMatchObject({ last: '6-0', reset: undefined });
    expect(takePage('3-0', page)).toMatchObject({ last: '6-0', reset: '4-0' });
    expect(takePage(beforeFirst, page)).toMatchObject({ reset: '4-0' });
    // What it has seen already is dropped, and a position between two events is as good as one of an event.
    expect(takePage('5-0', page).events).toEqual([page[1]]);
    expect(takePage('4-7', page)).toMatchObject({ events: page, reset: undefined });
    expect(takePage('6-0', page)).toEqual({ events: [], last: '6-0', reset: undefined });
    const first = [event('9-0', '')];
    expect(takePage(beforeFirst, first).reset).toBeUndefined();
    expect(takePage('5-0', first).reset).toBe(beforeFirst);
  });
});

describe('a feed', () => {
  test('tells what comes from where it stands, as soon as it is heard of', async () => {
    const { clock, stream, open, ring } = scene();
    const feed = open();
    await clock.advance(20);
    const news = feed.next(beforeFirst, { ms: 10_000, signal: never });
    await settle();
    const event = stream.add('j', false);
    ring();
    await clock.advance(10);
    expect(await news).toEqual({ events: [event], cursor: event.id, reset: false });
    feed.close();
    expect(clock.waiting).toBe(0);
  });

  test('a thousand who follow cost one read per piece of news', async () => {
    const { clock, stream, open, ring } = scene();
    const feed = open();
    await clock.advance(20);
    const all = Array.from({ length: 1_000 }, () => feed.next(beforeFirst, { ms: 60_000, signal: never }));
    await settle();
    const before = stream.reads();
    stream.add('j', false);
    ring();
    await clock.advance(10);
    expect((await Promise.all(all)).every(({ events }) => events.length === 1)).toBe(true);
    expect(stream.reads() - before).toBeLessThanOrEqual(2);
    feed.close();
  });

  test('news without end asks for a hundred reads a second', async () => {
    const { clock, stream, open, ring } = scene();
    const feed = open();
    await clock.advance(20);
    const before = stream.reads();
    for (let i = 0; i < 1_000; i++) {
      ring();
      await clock.advance(1);
    }
    expect(stream.reads() - before).toBeLessThanOrEqual(101);
    feed.close();
  });

  test('without a bus it looks at the store; a subscription that fails is tried again', async () => {
    let tries = 0;
    const { clock, stream, open } = scene({
      subscribe: async () => {
        tries++;
        throw new CortexError('unavailable', 'no bus');
      },
    });
    const feed = open();
    await clock.advance(20);
    const news = feed.next(beforeFirst, { ms: 60_000, signal: never });
    stream.add('j', false);
    await clock.advance(500);
    expect((await news).events).toHaveLength(1);
    await clock.advance(11_000);
    expect(tries).toBe(3);
    feed.close();
    expect(clock.waiting).toBe(0);
  });

  test('who waits for one job is not woken by others, and its position still moves on', async () => {
    const { clock, stream, open, ring } = scene({ kept: 10 });
    const feed = open();
    await clock.advance(20);
    const news = feed.next(beforeFirst, { job: 'mine', ms: 5_000, signal: never });
    for (let i = 0; i < 100; i++) {
      stream.add('other', false);
      ring();
      await clock.advance(10);
    }
    stream.trim(1);
    await clock.advance(5_000);
    const quiet = await news;
    expect(quiet).toEqual({ events: [], cursor: stream.all.at(-1)?.id, reset: false });
    const next = feed.next(quiet.cursor, { job: 'mine', ms: 5_000, signal: never });
    await settle();
    const mine = stream.add('mine', false);
    stream.add('other', false);
    ring();
    await clock.advance(20);
    expect((await next).events).toEqual([mine]);
    feed.close();
  });

  test('a wait ends with its signal, and a closed feed holds nothing', async () => {
    const { clock, open, ears } = scene();
    const feed = open();
    await clock.advance(20);
    const gone = new AbortController();
    const news = feed.next(beforeFirst, { ms: 60_000, signal: gone.signal });
    await settle();
    gone.abort(new CortexError('canceled', 'gone'));
    await expect(news).rejects.toMatchObject({ code: 'canceled' });
    feed.close();
    await settle();
    expect(ears.size).toBe(0);
    expect(clock.waiting).toBe(0);
  });
});

/** One who follows all or one job, breaks off now and then and comes again with its cursor; checks each piece against the model. */
function follower(world: ReturnType<typeof scene>, feed: ReturnType<typeof createFeed>, random: Random, job?: string) {
  const { stream } = world;
  const begin = random.chance(0.5) ? '' : (stream.all.at(-1)?.id ?? beforeFirst);
  let cursor = begin;
  let resets = 0;
  let told = 0;
  let stop = new AbortController();
  const end = { over: false };
  const between = (from: string, to: string): JobEvent[] =>
    stream.all.filter(
      ({ id, job: its }) => compareIds(id, from) > 0 && compareIds(id, to) <= 0 && (job === undefined || its === job),
    );
  const run = async (): Promise<void> => {
    while (!end.over) {
      const before = cursor;
      // From the oldest that is kept: what is gone by now is not missed.
      const oldest = before === '' && stream.gone('');
      try {
        const options = { ms: 1 + random.below(5_000), signal: stop.signal };
        const news = await feed.next(before, job === undefined ? options : { ...options, job });
        if (news.reset) {
          resets++;
          if (!stream.gone(before)) throw new Error(`reset at ${before}, and nothing is gone`);
          expect(news.events).toEqual([]);
        } else if (!oldest && before !== '') expect(news.events).toEqual(between(before, news.cursor));
        else expect(news.events).toEqual(between(before, news.cursor).slice(-news.events.length || Infinity));
        if (compareIds(news.cursor, before) < 0) throw new Error(`back from ${before} to ${news.cursor}`);
        told += news.events.length;
        cursor = news.cursor;
      } catch (error) {
        if (!(error instanceof CortexError)) throw error;
        if (error.code === 'canceled') stop = new AbortController();
        else await new Promise<void>((resolve) => world.clock.after(100, resolve));
      }
    }
  };
  const done = run();
  return {
    done,
    cut: () => stop.abort(new CortexError('canceled', 'cut')),
    end() {
      end.over = true;
      stop.abort(new CortexError('canceled', 'over'));
    },
    cursor: () => cursor,
    counts: () => ({ told, resets }),
  };
}

describe('against a model', () => {
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1);
  test.each(seeds)('seed %i: each event once and in order, or a reset where some are gone', async (seed) => {
    const random = createRandom(seed);
    const world = scene({ kept: random.chance(0.5) ? 5 : 50, page: random.chance(0.5) ? 3 : 20 });
    const { clock, stream, open, ring } = world;
    const jobs = ['a', 'b', 'c'];
    for (let i = random.below(10); i > 0; i--) stream.add(random.pick(jobs) ?? 'a', random.chance(0.5));
    const feed = open();
    const followers = Array.from({ length: 6 }, (_, i) =>
      follower(world, feed, random, i % 2 === 0 ? undefined : random.pick(jobs)),
    );
    const trims = random.chance(0.4);
    for (let step = 0; step < 200; step++) {
      if (random.chance(0.6)) {
        for (let i = 1 + random.below(4); i > 0; i--) stream.add(random.pick(jobs) ?? 'a', random.chance(0.5));
        // Lost, doubled, or as it should be; what it says is not read, so that order and nonsense are the same to it.
        for (let i = random.below(4); i > 0; i--) ring();
      }
      if (random.chance(0.05)) ring();
      if (random.chance(0.05)) stream.fail(1 + random.below(3));
      if (trims && random.chance(0.05)) stream.trim(1 + random.below(10));
      if (random.chance(0.1)) random.pick(followers)?.cut();
      if (random.chance(0.02)) await clock.advance(3_000);
      else await clock.advance(random.below(30));
    }
    stream.fail(0);
    await clock.advance(20_000);
    const last = stream.all.at(-1)?.id ?? '';
    for (const one of followers) expect(one.cursor()).toBe(last);
    for (const one of followers) one.end();
    await clock.during(Promise.all(followers.map(({ done }) => done)));
    expect(followers.some((one) => one.counts().told > 0)).toBe(true);
    feed.close();
    await settle();
    expect(world.ears.size).toBe(0);
  });
});
