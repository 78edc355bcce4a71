// The state machine of a job: one table, which every script receives as an argument and every test is generated from.
//
//   PENDING             accepted, waits for the gate (or for a human kernel, a throttle, the kernel's return)
//   AWAITING_APPROVAL   the policy wants a person; the store has every step, the gate does not lead there yet
//   SCHEDULED           allowed; waits in its pool's ready queue, or for its back-off to pass
//   DISPATCHED          handed to one worker under a fence; that worker has not said yes yet
//   RUNNING             accepted by that worker, under a lease that it renews
//   SUCCEEDED FAILED CANCELLED TIMEOUT DENIED   ended: nothing follows, ever

export const states = [
  'PENDING',
  'AWAITING_APPROVAL',
  'SCHEDULED',
  'DISPATCHED',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'TIMEOUT',
  'DENIED',
] as const;

export type JobState = (typeof states)[number];

/** From each state, where a job may go. `none` is the state of a job that does not exist yet. */
export const edges: Readonly<Record<JobState | 'none', readonly JobState[]>> = {
  none: ['PENDING'],
  PENDING: ['SCHEDULED', 'AWAITING_APPROVAL', 'DENIED', 'FAILED', 'CANCELLED', 'TIMEOUT'],
  AWAITING_APPROVAL: ['PENDING', 'DENIED', 'CANCELLED', 'TIMEOUT'],
  SCHEDULED: ['DISPATCHED', 'PENDING', 'DENIED', 'FAILED', 'CANCELLED', 'TIMEOUT'],
  DISPATCHED: ['RUNNING', 'SCHEDULED', 'SUCCEEDED', 'FAILED', 'DENIED', 'CANCELLED', 'TIMEOUT'],
  RUNNING: ['SCHEDULED', 'SUCCEEDED', 'FAILED', 'DENIED', 'CANCELLED', 'TIMEOUT'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
  TIMEOUT: [],
  DENIED: [],
};

export type EndState = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'TIMEOUT' | 'DENIED';

/** The states after which nothing follows. */
export const endStates: readonly JobState[] = states.filter((s) => edges[s].length === 0);

/** Whether a job in this state has ended. */
export function isEnd(state: JobState): state is EndState {
  return edges[state].length === 0;
}

/** Whether the table allows the step. */
export function mayGo(from: JobState | 'none', to: JobState): boolean {
  return edges[from].includes(to);
}

/** The states from which a job may come to `to`. */
export function sources(to: JobState): readonly JobState[] {
  return states.filter((s) => edges[s].includes(to));
}

/** Whether text names a state. */
export function isState(text: string): text is JobState {
  return (states as readonly string[]).includes(text);
}
