// The text that the attempts of one job give out, for one client: read from the store behind what it has, when the bus says that there
// is more. News may be lost; whoever follows looks from time to time as well.
import type { Subscription } from '#core/bus/bus.ts';
import { isSubjectToken, jobOutput } from '#core/protocol/subjects.ts';
import type { GatewayDeps } from '../deps.ts';
import type { OutputPlace } from './cursor.ts';
import { patiently } from './patience.ts';

export type JobOutputDeps = Pick<GatewayDeps, 'store' | 'subscribe' | 'isolated' | 'clock' | 'log'>;

export interface JobOutputOptions {
  readonly id: string;
  readonly tenant: string;
  readonly signal: AbortSignal;
  /** What the client has. */
  readonly place: OutputPlace | undefined;
}

/** A piece of it. With `offset` 0 it begins, or begins anew. */
export interface OutputPiece {
  readonly job_id: string;
  /** The attempt's number, from 1. */
  readonly attempt: number;
  /** Characters of UTF-16 of this attempt before it. */
  readonly offset: number;
  readonly text: string;
}

export interface JobOutput {
  /** What was told so far. */
  readonly place: OutputPlace | undefined;
  /** There may be more than was told. */
  readonly due: boolean;
  /** Resolves when there may be more. */
  heard(): Promise<void>;
  /** What there is, piece by piece; the place is behind each when it is handed out. Throws what the store throws for good. */
  pieces(): AsyncGenerator<OutputPiece>;
  /** The client wants what comes from now on. Throws as `pieces` does. */
  skip(): Promise<void>;
  /** Somebody says that there may be more. */
  hint(): void;
  /** Listens to the bus from now on, where there is one for this; the first time counts. */
  listen(): void;
  close(): void;
}

/** Whether news of it can be listened to; where requests share nothing, a subscription of each would be a connection of each. */
export function hearsOutput({ subscribe, isolated }: Pick<JobOutputDeps, 'subscribe' | 'isolated'>): boolean {
  return subscribe !== undefined && isolated !== true;
}

export function createJobOutput(deps: JobOutputDeps, { id, tenant, signal, place: from }: JobOutputOptions): JobOutput {
  const { store, subscribe, log } = deps;
  let place = from;
  let due = false;
  let news = Promise.withResolvers<void>();
  let listening = false;
  let closed = false;
  let subscription: Subscription | undefined;

  const hint = (): void => {
    due = true;
    news.resolve();
  };
  const drop = (made: Subscription): void => {
    made.close().catch((error: unknown) => log.warn('cannot end a subscription', { tenant, error }));
  };
  const readPieces = async function* (): AsyncGenerator<OutputPiece> {
    due = false;
    news = Promise.withResolvers();
    for (let more = true; more; ) {
      const { fence, at, offset } = place ?? { fence: '', at: 0, offset: 0 };
      const page = await patiently(deps, signal, () => store.readOutput({ id, tenant, fence, at }));
      if (page === undefined || page.text === '') break;
      const before = page.fence === fence && page.at === at ? offset : 0;
      place = { fence: page.fence, at: page.next, offset: before + page.text.length };
      yield { job_id: id, attempt: page.attempt, offset: before, text: page.text };
      ({ more } = page);
    }
  };

  return {
    get place() {
      return place;
    },
    get due() {
      return due;
    },
    heard: () => news.promise,
    pieces: readPieces,
    async skip() {
      for await (const _ of readPieces());
    },
    hint,
    listen() {
      if (listening || subscribe === undefined || !hearsOutput(deps)) return;
      if (!isSubjectToken(tenant) || !isSubjectToken(id)) return;
      listening = true;
      subscribe(jobOutput(tenant, id), hint).then(
        (made) => {
          if (closed) return drop(made);
          subscription = made;
          // What came before the server knew of it was told to nobody.
          hint();
        },
        (error: unknown) => log.warn('cannot listen for output; the store is looked at instead', { tenant, error }),
      );
    },
    close() {
      closed = true;
      if (subscription !== undefined) drop(subscription);
      subscription = undefined;
    },
  };
}
