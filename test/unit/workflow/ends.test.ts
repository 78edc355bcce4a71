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
      async look(keys) {
        for (const { id } of keys) reads.push(id);
        if (away) throw new CortexError('unavailable', 'away');
        return keys.map(({ id }) => {
          const state = jobs.get(id);
          // Nobody looks at more of it here.
          return state === undefined ? undefined : { job: { id, state } as JobView, result: null };
        });
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
  /** How it ended; `gone` when it is not there. */
  const wait = (id: string, now = true) => {
    const { promise, resolve } = Promise.withResolvers<JobState | 'gone'>();
    const unwatch = ends.watch({ id, tenant: 'default' }, (seen) => resolve(seen?.job.state ?? 'gone'), now);
    return { promise, unwatch };
  };
  return { clock, jobs, reads, warnings, tell, event, wait, setAway: (is: boolean) => void (away = is) };
}

test('answers at once when the job has ended', async () => {
  const { jobs, wait } = await setUp();
  jobs.set('a', 'FAILED');
  expect(await wait('a').promise).toBe('FAILED');
});

test('an event makes it look; the store says what it sees', async () => {
  const { jobs, wait, tell, event, reads } = await setUp();
  jobs.set('a', 'RUNNING');
  const { promise } = wait('a');
  await settle();
  await tell(event('a', 'SUCCEEDED')); // too early, or a lie
  expect(reads).toEqual(['a', 'a']);
  await tell(event('b', 'SUCCEEDED'));
  await tell(event('a', 'RUNNING'));
  expect(reads).toHaveLength(2);
  jobs.set('a', 'SUCCEEDED');
  await tell(event('a', 'SUCCEEDED'), 'cortex.ev.some.tenant');
  expect(await promise).toBe('SUCCEEDED');
});

test('without an event it looks every two seconds, at all jobs together', async () => {
  const { jobs, wait, reads, clock } = await setUp();
  for (const id of ['a', 'b', 'c']) jobs.set(id, 'RUNNING');
  const waiting = ['a', 'b', 'c'].map((id) => wait(id, false).promise);
  await clock.advance(1999);
  expect(reads).toHaveLength(0);
  await clock.advance(1);
  expect(reads).toEqual(['a', 'b', 'c']);
  for (const id of ['a', 'b', 'c']) jobs.set(id, 'TIMEOUT');
  await clock.advance(2000);
  expect(await Promise.all(waiting)).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT']);
  await clock.advance(4000);
  expect(reads).toHaveLength(6);
});

test('a thousand ends of one message are looked up in few calls', async () => {
  const { jobs, wait, tell, event } = await setUp();
  const ids = Array.from({ length: 1000 }, (_, i) => `j${i}`);
  const waiting = ids.map((id) => wait(id, false).promise);
  for (const id of ids) jobs.set(id, 'SUCCEEDED');
  await tell(`[${ids.map((id) => event(id, 'SUCCEEDED').slice(1, -1)).join(',')}]`);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['SUCCEEDED']));
});

test('garbage on the bus is told and changes nothing', async () => {
  const { jobs, wait, tell, warnings, reads } = await setUp();
  await tell('{');
  expect(warnings).toEqual([]); // nobody waits, nobody reads
  jobs.set('a', 'RUNNING');
  wait('a');
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
});

test('waits for a store that is away, and tells of a job that is not there', async () => {
  const { wait, setAway, clock, jobs } = await setUp();
  setAway(true);
  const { promise } = wait('a');
  await clock.advance(3000);
  jobs.set('a', 'DENIED');
  setAway(false);
  await clock.advance(2000);
  expect(await promise).toBe('DENIED');
  expect(await wait('nobody').promise).toBe('gone');
});

test('who does not watch any more is not told', async () => {
  const { jobs, wait, tell, event, reads } = await setUp();
  jobs.set('a', 'SUCCEEDED');
  wait('a', false).unwatch();
  await tell(event('a', 'SUCCEEDED'));
  expect(reads).toEqual([]);
});
