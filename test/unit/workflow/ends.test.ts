// Waiting for the end of a job: woken by events, never fooled by them, and not dependent on them. The clock is stepped.
import { afterEach, expect, test } from 'vitest';
import { createMemoryBusServer } from '#core/bus/memory.ts';
import { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { JobState } from '#core/jobs/state.ts';
import { silentLog } from '#core/log.ts';
import { createEnds } from '../../../services/orchestrator/ends.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function setUp() {
  const server = createMemoryBusServer();
  const bus = server.connect();
  const clock = createFakeClock();
  const jobs = new Map<string, JobState>();
  const reads: string[] = [];
  let away = false;
  const warnings: string[] = [];
  const ends = createEnds({
    bus,
    clock,
    log: { ...silentLog, warn: (message) => void warnings.push(message) },
    store: {
      async view(id) {
        reads.push(id);
        if (away) throw new CortexError('unavailable', 'away');
        const state = jobs.get(id);
        // Nobody looks at more of it here.
        return state === undefined ? undefined : ({ id, state } as JobView);
      },
    },
  });
  await ends.start();
  closing.push(() => ends.stop());
  const tell = async (data: string, subject = 'cortex.ev.default'): Promise<void> => {
    await bus.publish([{ subject, data: new TextEncoder().encode(data) }]);
    await settle();
  };
  const event = (job: string, state: JobState): string => JSON.stringify([{ id: '1', prev: '', job, state }]);
  const controller = new AbortController();
  const wait = (id: string) => ends.wait(id, 'default', controller.signal);
  return { clock, jobs, reads, warnings, tell, event, controller, wait, setAway: (is: boolean) => void (away = is) };
}

test('answers at once when the job has ended', async () => {
  const { jobs, wait, clock } = await setUp();
  jobs.set('a', 'FAILED');
  expect(await wait('a')).toMatchObject({ state: 'FAILED' });
  expect(clock.waiting).toBe(0);
});

test('an event makes it look; the store says what it sees', async () => {
  const { jobs, wait, tell, event, reads, clock } = await setUp();
  jobs.set('a', 'RUNNING');
  const waiting = wait('a');
  await settle();
  await tell(event('a', 'SUCCEEDED')); // too early, or a lie
  expect(reads).toEqual(['a', 'a']);
  await tell(event('b', 'SUCCEEDED'));
  await tell(event('a', 'RUNNING'));
  expect(reads).toHaveLength(2);
  jobs.set('a', 'SUCCEEDED');
  await tell(event('a', 'SUCCEEDED'), 'cortex.ev.some.tenant');
  expect(await waiting).toMatchObject({ state: 'SUCCEEDED' });
  expect(clock.waiting).toBe(0);
});

test('without an event it looks every two seconds', async () => {
  const { jobs, wait, reads, clock } = await setUp();
  jobs.set('a', 'RUNNING');
  const waiting = wait('a');
  await clock.advance(1999);
  expect(reads).toHaveLength(1);
  await clock.advance(1);
  expect(reads).toHaveLength(2);
  jobs.set('a', 'TIMEOUT');
  await clock.advance(2000);
  expect(await waiting).toMatchObject({ state: 'TIMEOUT' });
});

test('garbage on the bus is told and changes nothing', async () => {
  const { jobs, wait, tell, warnings, reads, controller } = await setUp();
  await tell('{');
  expect(warnings).toEqual([]); // nobody waits, nobody reads
  jobs.set('a', 'RUNNING');
  const waiting = wait('a');
  await settle();
  for (const data of [
    '{',
    '1',
    'null',
    '[null,1,"a",{},{"job":"a"},{"job":"a","state":"NO"},{"job":7,"state":"FAILED"}]',
  ]) {
    await tell(data);
  }
  expect(warnings).toEqual(['events that are no JSON']);
  expect(reads).toHaveLength(1);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('waits for a store that is away, and throws for a job that is not there', async () => {
  const { wait, setAway, clock, jobs } = await setUp();
  setAway(true);
  const waiting = wait('a');
  await clock.advance(3000);
  jobs.set('a', 'DENIED');
  setAway(false);
  await clock.advance(500);
  expect(await waiting).toMatchObject({ state: 'DENIED' });
  await expect(wait('nobody')).rejects.toMatchObject({ code: 'not_found' });
});

test('an abort ends the wait, also while the store is away', async () => {
  const { wait, setAway, clock, controller } = await setUp();
  setAway(true);
  const waiting = wait('a');
  await clock.advance(100);
  controller.abort(new CortexError('canceled', 'enough'));
  await expect(waiting).rejects.toBeInstanceOf(CortexError);
  expect(clock.waiting).toBe(0);
});
