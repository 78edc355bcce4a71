// What is done with a job that is due, for every state.
import { describe, expect, test } from 'vitest';
import { isEnd, states } from '#core/jobs/state.ts';
import type { DueJob } from '#core/jobs/store.ts';
import { overdue } from '#core/scheduling/overdue.ts';
import { parseTimeouts } from '#core/scheduling/timeouts.ts';

const timeouts = (() => {
  const parsed = parseTimeouts({ reconciler: { dispatch_timeout_seconds: 60 } });
  if (!parsed.ok) throw new Error(parsed.error.join());
  return parsed.value;
})();
const now = 1_800_000_000_000;
const job = (more: Partial<DueJob>): DueJob => ({
  ...{ id: 'j', tenant: 't', topic: 'job.a', traceId: '', state: 'PENDING', fence: '0', attempt: '', digest: 'd' },
  ...{ principal: '', pool: 'p', lane: 'job.a', worker: 'w1', instance: 'i', deadlineAt: now + 1_000_000 },
  ...{
    runDeadlineAt: 0,
    leaseAt: 0,
    queued: false,
    notBefore: 0,
    firstHandOutAt: 0,
    packet: undefined,
    end: undefined,
    orphanOf: '',
  },
  ...more,
});
const act = (more: Partial<DueJob>): string => {
  const action = overdue(job(more), now, timeouts);
  if (action.do === 'requeue') return `requeue ${action.why} from ${action.state} in ${action.delayMs}`;
  return action.do === 'timeout' ? `timeout ${action.errorCode}` : action.do;
};

describe.each(states.filter(isEnd))('%s', (state) => {
  test('is told, also after its deadline', () => {
    expect(act({ state })).toBe('announce');
    expect(act({ state, deadlineAt: now - 1 })).toBe('announce');
  });
});

describe.each(states.filter((state) => !isEnd(state)))('%s', (state) => {
  test.each([
    [now, true],
    [now - 1, true],
    [now + 1, false],
  ])('at its total deadline is timed out, not before (%d)', (deadlineAt, over) => {
    expect(act({ state, deadlineAt, leaseAt: now + 5 }) === 'timeout deadline_exceeded').toBe(over);
  });
});

test.each<readonly [string, Partial<DueJob>, string]>([
  ['a pending job is judged', { state: 'PENDING' }, 'judge'],
  ['one that waits for a person waits', { state: 'AWAITING_APPROVAL' }, 'wait'],
  ['one in the ready queue waits', { state: 'SCHEDULED', queued: true }, 'wait'],
  ['one in its back-off waits', { state: 'SCHEDULED', notBefore: now + 1 }, 'wait'],
  ['its back-off is over', { state: 'SCHEDULED', notBefore: now }, 'requeue ready from SCHEDULED in 0'],
  ['neither queued nor in back-off', { state: 'SCHEDULED' }, 'requeue ready from SCHEDULED in 0'],
  ['it may still be accepted', { state: 'DISPATCHED', leaseAt: now + 1 }, 'wait'],
  ['nobody accepted', { state: 'DISPATCHED', leaseAt: now }, 'requeue unaccepted from DISPATCHED in 0'],
  ['its slot is gone', { state: 'DISPATCHED', leaseAt: 0 }, 'requeue unaccepted from DISPATCHED in 0'],
  [
    'not accepted, and not for long',
    { state: 'DISPATCHED', leaseAt: now, firstHandOutAt: now - 59_999 },
    'requeue unaccepted from DISPATCHED in 0',
  ],
  [
    'not accepted for too long',
    { state: 'DISPATCHED', leaseAt: now, firstHandOutAt: now - 60_000 },
    'timeout dispatch_timeout',
  ],
  [
    'for too long, and it may still be accepted',
    { state: 'DISPATCHED', leaseAt: now + 1, firstHandOutAt: now - 60_000 },
    'wait',
  ],
  [
    'a worker that speaks the bus alone has its whole time',
    { state: 'DISPATCHED', worker: 'topic:job.a', leaseAt: now + 1 },
    'wait',
  ],
  [
    'and then it is a loss, however often it was handed out',
    { state: 'DISPATCHED', worker: 'topic:job.a', leaseAt: now, firstHandOutAt: now - 900_000 },
    'requeue lost from DISPATCHED in 0',
  ],
  ['it runs', { state: 'RUNNING', leaseAt: now + 1, runDeadlineAt: now + 1 }, 'wait'],
  ['its lease is over', { state: 'RUNNING', leaseAt: now, runDeadlineAt: now + 1 }, 'requeue lost from RUNNING in 0'],
  ['its slot is gone while it runs', { state: 'RUNNING', runDeadlineAt: now + 1 }, 'requeue lost from RUNNING in 0'],
  ['it ran for too long', { state: 'RUNNING', leaseAt: now + 1, runDeadlineAt: now }, 'timeout timeout'],
  ['both are over: time first', { state: 'RUNNING', leaseAt: now, runDeadlineAt: now }, 'timeout timeout'],
])('%s', (_name, more, action) => {
  expect(act(more)).toBe(action);
});

test('a time-out says how long it was', () => {
  const action = overdue(job({ state: 'DISPATCHED', firstHandOutAt: now - 60_000 }), now, timeouts);
  expect(action).toMatchObject({ errorMessage: 'no worker took the job up in 60 s' });
});
