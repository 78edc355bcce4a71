// Events as frames: their packets in JSON, made once for all who follow a tenant, with one read of the store for all events of a turn.
import type { JobEvent } from '#core/jobs/job.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { packetJson, packetNeeds, packetOfEvent } from '#core/protocol/event-packet.ts';

/** The frame of each event, in order; undefined for a step that has no packet. Throws what the store throws. */
export type Frames = (tenant: string, events: readonly JobEvent[]) => Promise<readonly (string | undefined)[]>;

const none = Promise.resolve(undefined);

/** Events are told apart as objects: a feed hands the same ones to all. */
export function createFrames(store: Pick<JobStore, 'standing'>): Frames {
  const made = new WeakMap<JobEvent, Promise<string | undefined>>();

  const make = async (tenant: string, events: readonly JobEvent[]): Promise<(string | undefined)[]> => {
    const wanted = new Map<string, boolean>();
    for (const event of events) {
      wanted.set(event.job, wanted.get(event.job) === true || packetNeeds(event) === 'packet');
    }
    const ids = Array.from(wanted, ([id, packet]) => ({ id, packet }));
    const { jobs } = await store.standing(tenant, ids);
    const found = new Map(ids.map(({ id }, i) => [id, jobs[i]]));
    return events.map((event) => {
      const standing = found.get(event.job);
      const packet = packetOfEvent(event, standing?.job, standing?.packet);
      return packet === undefined ? undefined : packetJson(packet);
    });
  };
  const forget = (events: readonly JobEvent[]): void => {
    for (const event of events) made.delete(event);
  };

  return (tenant, events) => {
    const fresh = events.filter((event) => packetNeeds(event) !== undefined && !made.has(event));
    if (fresh.length > 0) {
      const all = make(tenant, fresh);
      for (const [i, event] of fresh.entries())
        made.set(
          event,
          all.then((frames) => frames[i]),
        );
      // Whoever waits for one of them hears of it; the next one to ask tries again.
      all.catch(() => forget(fresh));
    }
    return Promise.all(events.map((event) => made.get(event) ?? none));
  };
}
