// What every bus does when its server goes away and comes back: says so, refuses in time, keeps nothing for later.
import { expect, test } from 'vitest';
import type { BusState } from '#core/bus/bus.ts';
import { until } from '../helpers/until.ts';
import { type BusStage, inbox, settled, words } from './bus-stage.ts';

export function testOutage(stage: BusStage): void {
  test('says when the server is away and back, and goes on with its subscriptions', async () => {
    const { subject } = stage;
    const [from, to] = [await stage.connect(), await stage.connect()];
    const box = inbox();
    const shared = inbox();
    from.probe(stage.message(''), () => undefined);
    await to.subscribe(`${subject}.>`, box.handle);
    await to.subscribe(`${subject}.>`, shared.handle, { queue: 'g' });
    const states: BusState[] = [];
    const stop = to.onState((state) => states.push(state));
    await stage.rig.down();
    await until(() => from.state === 'disconnected' && to.state === 'disconnected');
    from.post(stage.message('lost', { subject: `${subject}.1` }));
    from.probe(stage.message('lost', { subject: `${subject}.1` }), () => expect.unreachable());
    expect(from.dropped).toBe(2);
    await stage.rig.up();
    await until(() => from.state === 'connected' && to.state === 'connected', { timeout: 10_000 });
    await settled(to); // what it has subscribed to again has reached the server before another client's message does
    await from.publish([stage.message('after', { subject: `${subject}.2` })]);
    await Promise.all([box.has(1), shared.has(1)]);
    expect(words(box.got)).toEqual(['after']);
    expect(words(shared.got)).toEqual(['after']);
    await new Promise<void>((resolve) => from.probe(stage.message('', { subject: `other.${subject}` }), resolve));
    expect(states).toEqual(['disconnected', 'connected']);
    stop();
  });

  test('with the server away, publish and subscribe give up in time, and leave nothing for later', async () => {
    const { subject } = stage;
    const bus = await stage.connect({ deadlineMs: 300 });
    const box = inbox();
    await bus.subscribe('>', box.handle);
    await stage.rig.down();
    await until(() => bus.state === 'disconnected');
    const began = performance.now();
    const tries = [
      bus.publish([stage.message('lost')]),
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
    await stage.rig.up();
    await until(() => bus.state === 'connected', { timeout: 10_000 });
    await bus.publish([stage.message('after')]);
    await settled(bus);
    expect(words(box.got)).toEqual(['after']);
    expect(await stage.rig.subscriptions()).toBe(1);
  });

  test('publish and subscribe bridge a short absence', async () => {
    const { subject } = stage;
    const bus = await stage.connect({ deadlineMs: 10_000 });
    const box = inbox();
    await stage.rig.down();
    await until(() => bus.state === 'disconnected');
    const subscribed = bus.subscribe(subject, box.handle);
    const published = subscribed.then(() => bus.publish([stage.message('kept')]));
    await stage.rig.up();
    await published;
    await box.has(1);
    expect(words(box.got)).toEqual(['kept']);
  });

  test('can be closed while the server is away', async () => {
    const { subject } = stage;
    const bus = await stage.connect({ deadlineMs: 300 });
    const subscription = await bus.subscribe(subject, () => undefined);
    await bus.subscribe(`${subject}.x`, () => undefined);
    await stage.rig.down();
    await until(() => bus.state === 'disconnected');
    await subscription.close();
    await bus.close();
    expect(bus.state).toBe('closed');
    await stage.rig.up();
  });
}
