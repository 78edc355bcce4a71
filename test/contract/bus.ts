// What every bus must do, on whatever it runs. A rig is one server that can be taken away; each test connects clients of its
// own to it, on subjects of its own, and must leave no subscription behind.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BusConnection, BusState, Delivery, Publication } from '#core/bus/bus.ts';
import type { CortexError } from '#core/errors.ts';
import { until } from '../helpers/until.ts';

export interface BusRigOptions {
  readonly name: string;
  readonly onError: (error: CortexError) => void;
  readonly deadlineMs: number;
}

export interface BusRig {
  connect(options: BusRigOptions): Promise<BusConnection>;
  /** Takes the server away without a word, and brings it back. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Makes a stream that captures. */
  capture(stream: string, subjects: readonly string[]): Promise<void>;
  /** Subscriptions of clients, as the server counts them. */
  subscriptions(): Promise<number>;
  stop(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const words = (messages: readonly Delivery[]): string[] => messages.map(({ data }) => new TextDecoder().decode(data));

/** Collects deliveries, and resolves when a number of them is there. */
function inbox() {
  const got: Delivery[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    got,
    handle(message: Delivery): void {
      got.push(message);
      for (const { count, resolve } of waiting) if (got.length >= count) resolve();
    },
    has: (count: number): Promise<void> =>
      new Promise((resolve) => {
        if (got.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}

/** Runs the contract on a kind of bus. */
export function testBus(name: string, make: () => Promise<BusRig>): void {
  describe(`bus on ${name}`, () => {
    let rig: BusRig;
    let errors: CortexError[];
    let subject: string;
    let clients: BusConnection[];
    const connect = async (options: Partial<BusRigOptions> = {}): Promise<BusConnection> => {
      const onError = (error: CortexError): void => void errors.push(error);
      const client = await rig.connect({ name: 'contract', onError, deadlineMs: 2_000, ...options });
      clients.push(client);
      return client;
    };
    const message = (text: string, more: Partial<Publication> = {}): Publication => ({
      subject,
      data: bytes(text),
      ...more,
    });
    /** Everything published so far is delivered: the server answers in order. */
    const settled = async (...subscribers: readonly BusConnection[]): Promise<void> => {
      for (const subscriber of subscribers) await subscriber.ping();
    };

    beforeAll(async () => {
      rig = await make();
    });
    beforeEach(() => {
      errors = [];
      clients = [];
      subject = `t.${randomUUID()}`;
    });
    afterEach(async () => {
      for (const client of clients) await client.close();
      await until(async () => (await rig.subscriptions()) === 0, { message: 'every subscription to be gone' });
    });
    afterAll(async () => {
      await rig.stop();
    });

    test('delivers in order what is posted and published', async () => {
      const [from, to] = [await connect(), await connect()];
      const box = inbox();
      await to.subscribe(subject, box.handle);
      const sent: string[] = [];
      for (let i = 0; i < 100; i++) {
        sent.push(`a${i}`, `b${i}`, `c${i}`);
        from.post(message(`a${i}`));
        await from.publish([message(`b${i}`), message(`c${i}`)]);
      }
      await settled(to);
      expect(words(box.got)).toEqual(sent);
      expect(box.got[0]?.subject).toBe(subject);
    });

    test('never delivers from inside post, and delivers to the sender too', async () => {
      const bus = await connect();
      const box = inbox();
      await bus.subscribe(subject, box.handle);
      bus.post(message('news'));
      expect(box.got).toEqual([]);
      await box.has(1);
    });

    test('what is changed after post does not reach the other side', async () => {
      const bus = await connect();
      const box = inbox();
      await bus.subscribe(subject, box.handle);
      const data = bytes('before');
      await bus.publish([{ subject, data }]);
      data.set(bytes('AFTER!'));
      await box.has(1);
      expect(words(box.got)).toEqual(['before']);
    });

    test.each([
      ['*', ['x'], ['x.y']],
      ['>', ['x', 'x.y'], []],
      ['*.y', ['x.y', 'z.y'], ['y', 'x.y.z']],
      ['x.>', ['x.y', 'x.y.z'], ['x', 'y.x']],
    ])('wildcard %s takes %j and leaves %j', async (pattern, taken, left) => {
      const bus = await connect();
      const box = inbox();
      await bus.subscribe(`${subject}.${pattern}`, box.handle);
      await bus.publish([...left, ...taken].map((tail) => message(tail, { subject: `${subject}.${tail}` })));
      await settled(bus);
      expect(words(box.got)).toEqual(taken);
    });

    test('members of a queue group share, everybody else gets each', async () => {
      const from = await connect();
      const members = [inbox(), inbox(), inbox()];
      const taps = [inbox(), inbox()];
      const subscribers: BusConnection[] = [];
      for (const [box, queue] of [
        ...members.map((b) => [b, 'g'] as const),
        ...taps.map((b) => [b, undefined] as const),
      ]) {
        const to = await connect();
        subscribers.push(to);
        await to.subscribe(subject, box.handle, queue === undefined ? {} : { queue });
      }
      const other = inbox();
      await from.subscribe(subject, other.handle, { queue: 'another' });
      const sent = Array.from({ length: 200 }, (_, i) => String(i));
      await from.publish(sent.map((text) => message(text)));
      await settled(from, ...subscribers);
      const shared = members.flatMap((box) => words(box.got));
      expect(shared.toSorted()).toEqual(sent.toSorted());
      for (const box of members) expect(box.got.length).toBeGreaterThan(0);
      for (const box of [...taps, other]) expect(words(box.got)).toEqual(sent);
    });

    test('carries headers of our own', async () => {
      const bus = await connect();
      const box = inbox();
      await bus.subscribe(subject, box.handle);
      const headers = { 'Cortex-Fence': '1732294023123', 'Cortex-Constraints': '{"a":"b: c"}', 'Cortex-Empty': '' };
      bus.post(message('with', { headers }));
      await bus.publish([message('without'), message('', { headers })]);
      await box.has(3);
      const [first, second, third] = box.got;
      for (const [header, value] of Object.entries(headers)) {
        expect(first?.header(header)).toBe(value);
        expect(third?.header(header)).toBe(value);
      }
      expect(first?.header('Cortex-Lease-Ms')).toBeUndefined();
      expect(second?.header('Cortex-Fence')).toBeUndefined();
      expect(words(box.got)).toEqual(['with', 'without', '']);
    });

    test.each([
      ['a foreign header', { headers: { 'Nats-Msg-Id': '1' } }, 'headers.Nats-Msg-Id'],
      ['an expectation', { headers: { 'Nats-Expected-Stream': 's' } }, 'headers.Nats-Expected-Stream'],
      ['a header on two lines', { headers: { 'Cortex-A': 'x\r\nNats-Msg-Id: 1' } }, 'headers.Cortex-A'],
      ['a header name on two lines', { headers: { 'Cortex-A:\r\nB': '' } }, 'headers.Cortex-A:\r\nB'],
      ['a wildcard', { subject: 'a.*' }, 'subject'],
      ['a rest', { subject: 'a.>' }, 'subject'],
      ['a blank', { subject: 'a b' }, 'subject'],
      ['a line end', { subject: 'a\r\nPUB b 0' }, 'subject'],
      ['an empty token', { subject: 'a..b' }, 'subject'],
      ['an empty subject', { subject: '' }, 'subject'],
      ['a subject too long', { subject: 'a'.repeat(5_000) }, 'subject'],
      ['a bad reply', { reply: 'a b' }, 'reply'],
      ['too many bytes', { data: new Uint8Array(1_048_577) }, 'data'],
      ['too many bytes of headers', { data: new Uint8Array(1_048_570), headers: { 'Cortex-A': 'b' } }, 'data'],
    ])('refuses %s, naming the field, and stays usable', async (_what, wrong, field) => {
      const bus = await connect();
      const box = inbox();
      await bus.subscribe('>', box.handle);
      const bad = message('bad', wrong);
      await expect(bus.publish([message('first'), bad])).rejects.toMatchObject({ code: 'invalid_argument', field });
      bus.post(bad);
      bus.probe(bad, () => expect.unreachable());
      expect(errors).toHaveLength(2);
      for (const error of errors) expect(error).toMatchObject({ code: 'invalid_argument', field });
      expect(bus.dropped).toBe(2);
      await bus.publish([message('good')]);
      await settled(bus);
      expect(words(box.got)).toEqual(['good']);
    });

    test.each(['', 'a b', 'a..b', '>.a', 'a*', 'a\r\nSUB b 1'])('refuses to subscribe to %j', async (pattern) => {
      const bus = await connect();
      await expect(bus.subscribe(pattern, () => undefined)).rejects.toMatchObject({ code: 'invalid_argument' });
    });

    test.each(['', 'a b', 'a\r\nPUB b 0'])('refuses the queue group %j', async (queue) => {
      const bus = await connect();
      const failed = bus.subscribe(subject, () => undefined, { queue });
      await expect(failed).rejects.toMatchObject({ code: 'invalid_argument', field: 'queue' });
    });

    test('carries 900 kB byte for byte', async () => {
      const [from, to] = [await connect(), await connect()];
      const box = inbox();
      await to.subscribe(subject, box.handle);
      const data = new Uint8Array(900_000).map((_, i) => (i * 31) % 251);
      await from.publish([{ subject, data }]);
      from.post({ subject, data });
      await box.has(2);
      for (const { data: arrived } of box.got) expect(Buffer.compare(arrived, data)).toBe(0);
    });

    test('a probe hears when nobody listens, and nothing when somebody does', async () => {
      const [from, to] = [await connect(), await connect()];
      const nobody: string[] = [];
      const box = inbox();
      await to.subscribe(subject, box.handle);
      from.probe(message('there'), () => nobody.push('there'));
      await new Promise<void>((resolve) => {
        from.probe(message('none', { subject: `${subject}.else` }), () => {
          nobody.push('none');
          resolve();
        });
      });
      await settled(from, to);
      expect(nobody).toEqual(['none']);
      expect(words(box.got)).toEqual(['there']);
    });

    test('what a probe calls may throw', async () => {
      const bus = await connect();
      bus.probe(message('none'), () => {
        throw new Error('from none');
      });
      await until(() => errors.length > 0);
      expect(errors[0]).toMatchObject({ code: 'internal', cause: { message: 'from none' } });
      await bus.ping();
    });

    test('a handler that throws or rejects keeps its subscription and the others', async () => {
      const bus = await connect();
      const box = inbox();
      await bus.subscribe(subject, (got) => {
        box.handle(got);
        throw new Error('thrown');
      });
      const rejecting: (got: Delivery) => unknown = (got) => {
        box.handle(got);
        return Promise.reject(new Error('rejected'));
      };
      await bus.subscribe(subject, rejecting);
      await bus.publish([message('1'), message('2')]);
      await box.has(4);
      await bus.ping();
      expect(errors.map((error) => (error.cause as Error).message).toSorted()).toEqual([
        'rejected',
        'rejected',
        'thrown',
        'thrown',
      ]);
      for (const error of errors) expect(error.message).toContain(subject);
    });

    test('a subscription that is closed takes nothing more, and may be closed twice', async () => {
      const bus = await connect();
      const [gone, stays] = [inbox(), inbox()];
      const subscription = await bus.subscribe(subject, gone.handle);
      await bus.subscribe(subject, stays.handle);
      expect(await rig.subscriptions()).toBe(2);
      await bus.publish([message('1')]);
      await Promise.all([subscription.close(), subscription.close()]);
      await subscription.close();
      expect(await rig.subscriptions()).toBe(1);
      await bus.publish([message('2')]);
      await settled(bus);
      expect(words(gone.got)).toEqual(['1']);
      expect(words(stays.got)).toEqual(['1', '2']);
    });

    test('closing sends what was posted, ends every subscription, and is final', async () => {
      const [from, to] = [await connect(), await connect()];
      const box = inbox();
      await to.subscribe(subject, box.handle);
      await from.subscribe(subject, () => undefined);
      const states: BusState[] = [];
      from.onState((state) => states.push(state));
      from.post(message('last'));
      await Promise.all([from.close(), from.close()]);
      await settled(to);
      expect(words(box.got)).toEqual(['last']);
      expect(states).toEqual(['closed']);
      expect(from.state).toBe('closed');
      expect(await rig.subscriptions()).toBe(1);
      from.post(message('late'));
      expect(from.dropped).toBe(1);
      await expect(from.publish([message('late')])).rejects.toMatchObject({ code: 'unavailable' });
      await expect(from.subscribe(subject, () => undefined)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(from.ping()).rejects.toMatchObject({ code: 'unavailable' });
      expect(errors).toEqual([]);
    });

    test('names the streams that capture a subject', async () => {
      const bus = await connect();
      const root = `cap${randomUUID().slice(0, 8)}`;
      await rig.capture(`${root}-jobs`, [`${root}.job.>`]);
      expect(await bus.capturing(`${root}.job.echo`)).toEqual([`${root}-jobs`]);
      expect(await bus.capturing(`${root}.>`)).toEqual([`${root}-jobs`]);
      expect(await bus.capturing(`${root}.*.echo`)).toEqual([`${root}-jobs`]);
      expect(await bus.capturing(`${root}.other`)).toEqual([]);
      // A captured subject never answers that nobody listens.
      bus.probe(message('captured', { subject: `${root}.job.echo` }), () => expect.unreachable());
      await bus.ping();
      await bus.ping();
    });

    test('says when the server is away and back, and goes on with its subscriptions', async () => {
      const [from, to] = [await connect(), await connect()];
      const box = inbox();
      const shared = inbox();
      await to.subscribe(`${subject}.>`, box.handle);
      await to.subscribe(`${subject}.>`, shared.handle, { queue: 'g' });
      const states: BusState[] = [];
      const stop = to.onState((state) => states.push(state));
      await rig.down();
      await until(() => from.state === 'disconnected' && to.state === 'disconnected');
      from.post(message('lost', { subject: `${subject}.1` }));
      from.probe(message('lost', { subject: `${subject}.1` }), () => expect.unreachable());
      expect(from.dropped).toBe(2);
      await rig.up();
      await until(() => from.state === 'connected' && to.state === 'connected', { timeout: 10_000 });
      await from.publish([message('after', { subject: `${subject}.2` })]);
      await Promise.all([box.has(1), shared.has(1)]);
      expect(words(box.got)).toEqual(['after']);
      expect(words(shared.got)).toEqual(['after']);
      expect(states).toEqual(['disconnected', 'connected']);
      stop();
    });

    test('with the server away, publish and subscribe give up in time, and leave nothing for later', async () => {
      const bus = await connect({ deadlineMs: 300 });
      const box = inbox();
      await bus.subscribe('>', box.handle);
      await rig.down();
      await until(() => bus.state === 'disconnected');
      const began = performance.now();
      const tries = [
        bus.publish([message('lost')]),
        bus.subscribe(subject, () => undefined),
        bus.capturing(subject),
        bus.ping(),
      ];
      for (const attempt of await Promise.allSettled(tries)) {
        expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      }
      const took = performance.now() - began;
      expect(took).toBeGreaterThan(250);
      expect(took).toBeLessThan(1_500);
      await rig.up();
      await until(() => bus.state === 'connected', { timeout: 10_000 });
      await bus.publish([message('after')]);
      await settled(bus);
      expect(words(box.got)).toEqual(['after']);
      expect(await rig.subscriptions()).toBe(1);
    });

    test('publish and subscribe bridge a short absence', async () => {
      const bus = await connect({ deadlineMs: 10_000 });
      const box = inbox();
      await rig.down();
      await until(() => bus.state === 'disconnected');
      const subscribed = bus.subscribe(subject, box.handle);
      const published = subscribed.then(() => bus.publish([message('kept')]));
      await rig.up();
      await published;
      await box.has(1);
      expect(words(box.got)).toEqual(['kept']);
    });

    test('can be closed while the server is away', async () => {
      const bus = await connect({ deadlineMs: 300 });
      const subscription = await bus.subscribe(subject, () => undefined);
      await bus.subscribe(`${subject}.x`, () => undefined);
      await rig.down();
      await until(() => bus.state === 'disconnected');
      await subscription.close();
      await bus.close();
      expect(bus.state).toBe('closed');
      await rig.up();
    });
  });
}
