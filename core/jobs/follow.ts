// Following a tenant's event stream by its positions: which ids come before which, and whether what was read goes on where a reader
// stood. Events carry the id of the one before, so a hole shows. No clock, no store.
import type { JobEvent } from './job.ts';

/** The position before everything that is still kept. */
export const fromOldest = '';

/** The position of who has seen a stream while it was empty. */
export const beforeFirst = '0-0';

const idPattern = /^\d{1,15}-\d{1,15}$/;

/** Whether text is the id of an event. */
export function isEventId(text: string): boolean {
  return idPattern.test(text);
}

/** Below 0 when `a` comes before `b`. `fromOldest` and `beforeFirst` come before every event. */
export function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  const [aMs = 0, aSeq = 0] = a.split('-').map(Number);
  const [bMs = 0, bSeq = 0] = b.split('-').map(Number);
  return aMs - bMs || aSeq - bSeq;
}

export interface Taken {
  /** What follows the position, in order. */
  readonly events: readonly JobEvent[];
  /** The position behind them. */
  readonly last: string;
  /** Set where something between the position and these events is not kept any more: the position from which nothing is missing. */
  readonly reset: string | undefined;
}

/** What a page of the stream, read after `after`, means to who stood there. */
export function takePage(after: string, page: readonly JobEvent[]): Taken {
  const events = page.filter(({ id }) => compareIds(id, after) > 0);
  const [first] = events;
  if (first === undefined) return { events, last: after, reset: undefined };
  const last = events.at(-1)?.id ?? after;
  return { events, last, reset: follows(first.prev, after) ? undefined : first.prev || beforeFirst };
}

/** Whether nothing can lie between the position and the event whose predecessor this is. */
function follows(prev: string, after: string): boolean {
  if (after === fromOldest) return true;
  // The first event of a stream: only who saw it empty has missed nothing. Another stream was there before it.
  if (prev === '') return after === beforeFirst;
  return compareIds(prev, after) <= 0;
}

/** The events of a list, oldest first, that come after a position. */
export function eventsAfter(events: readonly JobEvent[], after: string): readonly JobEvent[] {
  let low = 0;
  for (let high = events.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (compareIds(events[middle]?.id ?? '', after) > 0) high = middle;
    else low = middle + 1;
  }
  return low === 0 ? events : events.slice(low);
}
