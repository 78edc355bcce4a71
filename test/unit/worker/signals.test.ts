// What is said while a handler runs: cancel to it, progress and artifacts from it.
import { describe, expect, test } from 'vitest';
import { cancelPacket, encodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { settle } from '../../helpers/clock.ts';
import { resultsOf, useStage } from '../../helpers/worker-rig.ts';
import { createManual, waiting } from '../../helpers/workers/manual.ts';

const setUp = useStage();

describe('cancel', () => {
  test('ends the signal as soon as the bus says so, and the stop is told', async () => {
    const s = await setUp([waiting]);
    const { id } = await s.run();
    await s.seen('started', id);
    await s.cancel(id); // the clock stands still: no renewal is due
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'cancelled' });
    await s.seen('done', id);
    const view = await s.view(id);
    expect(view.state).toBe('CANCELLED');
    expect(view.stoppedAt).toBeGreaterThan(0);
    const { capacity, used } = await s.claim(0);
    expect([capacity, used]).toEqual([1, 0]);
  });

  test('that overtakes the answer to accept is noticed at once too', async () => {
    const s = await setUp([waiting]);
    s.outage.only = ['accept'];
    s.outage.mode = 'slow';
    const { id } = await s.run();
    await s.outage.quiet();
    expect((await s.view(id)).state).toBe('RUNNING');
    await s.cancel(id);
    await settle();
    s.outage.release();
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'cancelled' });
    await s.seen('done', id);
    expect((await s.view(id)).stoppedAt).toBeGreaterThan(0);
  });

  test('is noticed by the next renewal when the bus says nothing', async () => {
    const s = await setUp([waiting]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.hostBus.disconnect();
    await s.cancel(id);
    await s.clock.advance(1000);
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'cancelled' });
    s.hostBus.reconnect();
  });

  test('that only the bus claims stops nothing', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    const before = s.outage.counts.get('renew') ?? 0;
    const packet = cancelPacket({ traceId: 't', senderId: 'liar', atMs: 1 }, { jobId: id });
    await s.bus.publish([{ subject: subjects.cancel, data: encodePacket(packet) }]);
    while ((s.outage.counts.get('renew') ?? 0) === before) await settle();
    await settle();
    expect(calls[0]?.context.signal.aborted).toBe(false);
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    expect((await s.view(id)).state).toBe('SUCCEEDED');
  });

  test('of a handler that does not listen keeps its slot until it returns', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    await s.cancel(id);
    await s.seen('aborted', id);
    await s.clock.advance(9000);
    expect(s.host.workers[0]?.active).toBe(1);
    expect((await s.view(id)).stoppedAt).toBe(0);
    // Its lease is gone by now; the host tells the store that it has no room.
    const other = await s.submit();
    expect((await s.claim()).jobs).toEqual([]);
    expect(s.told.some((e) => e.type === 'unresponsive')).toBe(false);
    await s.clock.advance(1000);
    expect(await s.seen('unresponsive', id)).toMatchObject({ sinceMs: 10_000 });
    calls[0]?.resolve('nobody wants this');
    await s.seen('done', id);
    expect(await s.store.result(id, 'default')).toBeNull();
    await s.clock.advance(1000);
    const [next] = (await s.claim()).jobs;
    expect(next?.id).toBe(other);
    if (next !== undefined) await s.send(next);
    while (calls.length < 2) await settle();
    calls[1]?.resolve(1);
    await s.seen('committed', other);
  });
});

describe('what a handler says', () => {
  test('progress goes to the store and the bus, the last one always', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    const context = calls[0]?.context;
    context?.progress(10, 'a');
    await settle();
    context?.progress(20, 'b');
    context?.progress(99, 'c');
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    await settle();
    const told = s.news.flatMap((p) =>
      p.payload.case === 'jobProgress'
        ? [[p.traceId, p.senderId, p.payload.value.percent, p.payload.value.message]]
        : [],
    );
    expect(told).toEqual([
      [`t-${id}`, 'w0', 10, 'a'],
      [`t-${id}`, 'w0', 99, 'c'],
    ]);
    expect((await s.view(id)).progress).toEqual({ percent: 99, message: 'c' });
  });

  test('output goes to the store before the end does, and the bus says that it is there', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const heard: string[] = [];
    await s.bus.subscribe('cortex.out.>', ({ subject }) => void heard.push(subject));
    const { id, fence } = await s.run();
    await s.seen('started', id);
    const context = calls[0]?.context;
    context?.output('one ');
    await settle();
    context?.output('two ');
    context?.output('three');
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    const page = await s.store.readOutput({ id, tenant: 'default', fence: '', at: 0 });
    expect(page).toEqual({ fence, attempt: 1, at: 0, text: 'one two three', next: 13, more: false });
    expect(heard).toEqual(Array.from({ length: 2 }, () => `cortex.out.default.${id}`));
    context?.output('too late');
    await s.clock.advance(1000);
    expect(s.outage.counts.get('output')).toBe(2);
  });

  test('a handler without output makes no call for it', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    calls[0]?.context.output('');
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    expect(s.outage.counts.get('output')).toBeUndefined();
    expect((await s.view(id)).output).toBeUndefined();
  });

  test('output waits for a store that is away, and is there once', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.only = ['output'];
    s.outage.mode = 'deaf'; // it happens, and the answer is lost
    calls[0]?.context.output('one ');
    await settle();
    calls[0]?.context.output('two');
    s.outage.mode = 'down';
    await s.clock.advance(300);
    s.outage.mode = 'up';
    calls[0]?.resolve(1);
    await s.clock.during(s.seen('committed', id));
    expect(await s.store.readOutput({ id, tenant: 'default', fence: '', at: 0 })).toMatchObject({ text: 'one two' });
  });

  test('output of an attempt that lost its job is refused and counted, and the handler told', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id, fence } = await s.run();
    await s.seen('started', id);
    await s.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    calls[0]?.context.output('half');
    expect(await s.seen('stale', id)).toMatchObject({ step: 'output' });
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lost' });
    calls[0]?.resolve(1);
    await s.seen('done', id);
    expect(await s.store.readOutput({ id, tenant: 'default', fence: '', at: 0 })).toBeUndefined();
  });

  test('artifacts are stored under the fence, named in the result, and bounded', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id, fence } = await s.run({ constraints: { budgets: { maxArtifactBytes: 10n } } });
    await s.seen('started', id);
    const artifact = calls[0]?.context.artifact;
    if (artifact === undefined) throw new Error('no context');
    expect(await artifact('one', new Uint8Array(6))).toBe(`redis://res:${id}-one-${fence}`);
    await expect(artifact('two', new Uint8Array(5))).rejects.toMatchObject({
      code: 'out_of_range',
      field: 'artifact.two',
    });
    expect(await artifact('one', new Uint8Array(10))).toBe(`redis://res:${id}-one-${fence}`);
    await expect(artifact('../x', new Uint8Array(1))).rejects.toMatchObject({ code: 'invalid_argument' });
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    await settle();
    expect(resultsOf(s, id)).toMatchObject([
      { payload: { value: { artifactPtrs: [`redis://res:${id}-one-${fence}`] } } },
    ]);
    await expect(artifact('one', new Uint8Array(1))).rejects.toMatchObject({ code: 'aborted' });
  });

  test('progress of an attempt that lost its job is no news, and the handler told', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id, fence } = await s.run();
    await s.seen('started', id);
    await s.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    calls[0]?.context.progress(50, 'half');
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lost' });
    await settle();
    expect(s.news.filter((p) => p.payload.case === 'jobProgress')).toEqual([]);
    calls[0]?.resolve(1);
    await s.seen('done', id);
  });

  test('artifacts of one name at once are counted as what is stored in the end', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition], { host: { limits: { resultBytes: 100, artifactBytes: 10 } } });
    const { id } = await s.run();
    await s.seen('started', id);
    const artifact = calls[0]?.context.artifact;
    if (artifact === undefined) throw new Error('no context');
    // The first is refused, and must not undo the count of the second.
    const both = await Promise.allSettled([artifact('one', new Uint8Array(11)), artifact('one', new Uint8Array(8))]);
    expect(both.map((a) => a.status)).toEqual(['rejected', 'fulfilled']);
    await expect(artifact('two', new Uint8Array(3))).rejects.toMatchObject({ code: 'out_of_range' });
    // Nor may one whose answer was lost count as if it had not come.
    s.outage.only = ['artifact'];
    s.outage.mode = 'deaf';
    await expect(artifact('one', new Uint8Array(9))).rejects.toMatchObject({ code: 'unavailable' });
    s.outage.mode = 'up';
    await expect(artifact('two', new Uint8Array(2))).rejects.toMatchObject({ code: 'out_of_range' });
    await artifact('two', new Uint8Array(1));
    calls[0]?.resolve(1);
    await s.seen('committed', id);
  });

  test('one that is asked for while another is under way is refused at the end of the handler', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.only = ['artifact'];
    s.outage.mode = 'slow';
    const artifact = calls[0]?.context.artifact;
    if (artifact === undefined) throw new Error('no context');
    const both = Promise.allSettled(['one', 'two'].map((name) => artifact(name, new Uint8Array(1))));
    await s.outage.quiet();
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    s.outage.release();
    expect(await both).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'aborted', message: 'the handler has returned already' } },
    ]);
  });

  test('an attempt stores 32 artifacts at most, however small', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    const artifact = calls[0]?.context.artifact;
    if (artifact === undefined) throw new Error('no context');
    await Promise.all(Array.from({ length: 32 }, (_, i) => artifact(`part-${i}`, new Uint8Array(1))));
    await expect(artifact('more', new Uint8Array(1))).rejects.toMatchObject({
      code: 'out_of_range',
      field: 'artifact.more',
      message: 'artifact.more: an attempt stores at most 32 artifacts',
    });
    await artifact('part-7', new Uint8Array(2)); // one that is there may be replaced
    calls[0]?.resolve(1);
    await s.seen('committed', id);
  });

  test('an artifact of an attempt that lost its job is refused, and the handler told', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id, fence } = await s.run();
    await s.seen('started', id);
    await s.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    const call = calls[0];
    await expect(call?.context.artifact('one', new Uint8Array(1))).rejects.toMatchObject({ code: 'aborted' });
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lost' });
    expect(call?.context.signal.reason).toMatchObject({
      code: 'aborted',
      message: 'the job was handed to somebody else',
    });
    call?.reject(call.context.signal.reason);
    await s.seen('done', id);
  });
});
