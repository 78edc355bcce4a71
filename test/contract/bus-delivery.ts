// What every bus does while its server is there: order, wildcards, groups, headers, probes, refusals, and clean ends.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { BusConnection, BusState, Delivery } from '#core/bus/bus.ts';
import { until } from '../helpers/until.ts';
import { type BusStage, bytes, inbox, settled, words } from './bus-stage.ts';

export function testDelivery(stage: BusStage): void {
  test('delivers in order what is posted and published', async () => {
    const { subject } = stage;
    const [from, to] = [await stage.connect(), await stage.connect()];
    const box = inbox();
    await to.subscribe(subject, box.handle);
    const sent: string[] = [];
    for (let i = 0; i < 100; i++) {
      sent.push(`a${i}`, `b${i}`, `c${i}`);
      from.post(stage.message(`a${i}`));
      await from.publish([stage.message(`b${i}`), stage.message(`c${i}`)]);
    }
    await settled(to);
    expect(words(box.got)).toEqual(sent);
    expect(box.got[0]?.subject).toBe(subject);
  });

  test('never delivers from inside post, and delivers to the sender too', async () => {
    const { subject } = stage;
    const bus = await stage.connect();
    const box = inbox();
    await bus.subscribe(subject, box.handle);
    bus.post(stage.message('news'));
    expect(box.got).toEqual([]);
    await box.has(1);
  });

  test('what is changed after post does not reach the other side', async () => {
    const { subject } = stage;
    const bus = await stage.connect();
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
    const { subject } = stage;
    const bus = await stage.connect();
    const box = inbox();
    await bus.subscribe(`${subject}.${pattern}`, box.handle);
    await bus.publish([...left, ...taken].map((tail) => stage.message(tail, { subject: `${subject}.${tail}` })));
    await settled(bus);
    expect(words(box.got)).toEqual(taken);
  });

  test('members of a queue group share, everybody else gets each', async () => {
    const { subject } = stage;
    const from = await stage.connect();
    const members = [inbox(), inbox(), inbox()];
    const taps = [inbox(), inbox()];
    const subscribers: BusConnection[] = [];
    for (const [box, queue] of [
      ...members.map((b) => [b, 'g'] as const),
      ...taps.map((b) => [b, undefined] as const),
    ]) {
      const to = await stage.connect();
      subscribers.push(to);
      await to.subscribe(subject, box.handle, queue === undefined ? {} : { queue });
    }
    const other = inbox();
    await from.subscribe(subject, other.handle, { queue: 'another' });
    const sent = Array.from({ length: 200 }, (_, i) => String(i));
    await from.publish(sent.map((text) => stage.message(text)));
    await settled(from, ...subscribers);
    const shared = members.flatMap((box) => words(box.got));
    expect(shared.toSorted()).toEqual(sent.toSorted());
    for (const box of members) expect(box.got.length).toBeGreaterThan(0);
    for (const box of [...taps, other]) expect(words(box.got)).toEqual(sent);
  });

  test('carries headers of our own', async () => {
    const { subject } = stage;
    const bus = await stage.connect();
    const box = inbox();
    await bus.subscribe(subject, box.handle);
    const headers = { 'Cortex-Fence': '1732294023123', 'Cortex-Constraints': '{"a":"b: c"}', 'Cortex-Empty': '' };
    bus.post(stage.message('with', { headers }));
    await bus.publish([stage.message('without'), stage.message('', { headers })]);
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
    const bus = await stage.connect();
    const box = inbox();
    await bus.subscribe('>', box.handle);
    const bad = stage.message('bad', wrong);
    await expect(bus.publish([stage.message('first'), bad])).rejects.toMatchObject({ code: 'invalid_argument', field });
    bus.post(bad);
    bus.probe(bad, () => expect.unreachable());
    expect(stage.errors).toHaveLength(2);
    for (const error of stage.errors) expect(error).toMatchObject({ code: 'invalid_argument', field });
    expect(bus.dropped).toBe(2);
    await bus.publish([stage.message('good')]);
    await settled(bus);
    expect(words(box.got)).toEqual(['good']);
  });

  test.each(['', 'a b', 'a..b', '>.a', 'a*', 'a\r\nSUB b 1'])('refuses to subscribe to %j', async (pattern) => {
    const bus = await stage.connect();
    await expect(bus.subscribe(pattern, () => undefined)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test.each(['', 'a b', 'a\r\nPUB b 0'])('refuses the queue group %j', async (queue) => {
    const { subject } = stage;
    const bus = await stage.connect();
    const failed = bus.subscribe(subject, () => undefined, { queue });
    await expect(failed).rejects.toMatchObject({ code: 'invalid_argument', field: 'queue' });
  });

  test('carries 900 kB byte for byte', async () => {
    const { subject } = stage;
    const [from, to] = [await stage.connect(), await stage.connect()];
    const box = inbox();
    await to.subscribe(subject, box.handle);
    const data = new Uint8Array(900_000).map((_, i) => (i * 31) % 251);
    await from.publish([{ subject, data }]);
    from.post({ subject, data });
    await box.has(2);
    for (const { data: arrived } of box.got) expect(Buffer.compare(arrived, data)).toBe(0);
  });

  test('a probe hears when nobody listens, and nothing when somebody does', async () => {
    const { subject } = stage;
    const [from, to] = [await stage.connect(), await stage.connect()];
    const nobody: string[] = [];
    const box = inbox();
    await to.subscribe(subject, box.handle);
    from.probe(stage.message('there'), () => nobody.push('there'));
    await new Promise<void>((resolve) => {
      from.probe(stage.message('none', { subject: `${subject}.else` }), () => {
        nobody.push('none');
        resolve();
      });
    });
    await settled(from, to);
    expect(nobody).toEqual(['none']);
    expect(words(box.got)).toEqual(['there']);
  });

  test('what a probe calls may throw', async () => {
    const bus = await stage.connect();
    bus.probe(stage.message('none'), () => {
      throw new Error('from none');
    });
    await until(() => stage.errors.length > 0);
    expect(stage.errors[0]).toMatchObject({ code: 'internal', cause: { message: 'from none' } });
    await bus.ping();
  });

  test('a handler that throws or rejects keeps its subscription and the others', async () => {
    const { subject } = stage;
    const bus = await stage.connect();
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
    await bus.publish([stage.message('1'), stage.message('2')]);
    await box.has(4);
    await bus.ping();
    expect(stage.errors.map((error) => (error.cause as Error).message).toSorted()).toEqual([
      'rejected',
      'rejected',
      'thrown',
      'thrown',
    ]);
    for (const error of stage.errors) expect(error.message).toContain(subject);
  });

  test('a subscription that is closed takes nothing more, and may be closed twice', async () => {
    const { subject } = stage;
    const bus = await stage.connect();
    const [gone, stays] = [inbox(), inbox()];
    const subscription = await bus.subscribe(subject, gone.handle);
    await bus.subscribe(subject, stays.handle);
    expect(await stage.rig.subscriptions()).toBe(2);
    await bus.publish([stage.message('1')]);
    await Promise.all([subscription.close(), subscription.close()]);
    await subscription.close();
    expect(await stage.rig.subscriptions()).toBe(1);
    await bus.publish([stage.message('2')]);
    await settled(bus);
    expect(words(gone.got)).toEqual(['1']);
    expect(words(stays.got)).toEqual(['1', '2']);
  });

  test('closing sends what was posted, ends every subscription, and is final', async () => {
    const { subject } = stage;
    const [from, to] = [await stage.connect(), await stage.connect()];
    const box = inbox();
    await to.subscribe(subject, box.handle);
    await from.subscribe(subject, () => undefined);
    const states: BusState[] = [];
    from.onState((state) => states.push(state));
    from.post(stage.message('last'));
    await Promise.all([from.close(), from.close()]);
    await settled(to);
    expect(words(box.got)).toEqual(['last']);
    expect(states).toEqual(['closed']);
    expect(from.state).toBe('closed');
    expect(await stage.rig.subscriptions()).toBe(1);
    from.post(stage.message('late'));
    expect(from.dropped).toBe(1);
    await expect(from.publish([stage.message('late')])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(from.subscribe(subject, () => undefined)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(from.ping()).rejects.toMatchObject({ code: 'unavailable' });
    expect(stage.errors).toEqual([]);
  });

  test('names the streams that capture a subject', async () => {
    const bus = await stage.connect();
    const root = `cap${randomUUID().slice(0, 8)}`;
    await stage.rig.capture(`${root}-jobs`, [`${root}.job.>`]);
    expect(await bus.capturing(`${root}.job.echo`)).toEqual([`${root}-jobs`]);
    expect(await bus.capturing(`${root}.>`)).toEqual([`${root}-jobs`]);
    expect(await bus.capturing(`${root}.*.echo`)).toEqual([`${root}-jobs`]);
    expect(await bus.capturing(`${root}.other`)).toEqual([]);
    // A captured subject never answers that nobody listens.
    bus.probe(stage.message('captured', { subject: `${root}.job.echo` }), () => expect.unreachable());
    await bus.ping();
    await bus.ping();
  });
}
