// What the load generator does with a system under test, whatever that is.

export interface Client {
  /** Submits a job and waits until its result has been seen. `lane` is below the number of lanes; one call at a time on each. */
  roundTrip(lane: number): Promise<string>;
  /** Submits a job; answers its id once it is accepted, as far as the door can tell. */
  submit(lane: number): Promise<string>;
  /** Resolves when the store shows all of them done. Rejects when the signal aborts. */
  done(ids: readonly string[], signal: AbortSignal): Promise<void>;
  /** Throws unless the store says of every one that it succeeded. Not measured. */
  verify(ids: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** What a client needs to find its system. */
export interface Target {
  readonly system: 'cortex' | 'bullmq';
  readonly door: 'bus' | 'http';
  readonly redisUrl: string;
  /** Empty where there is none. */
  readonly natsUrl: string;
  readonly httpUrl: string;
  readonly lanes: number;
}

/** Milliseconds between two looks at a store. */
export const lookMs = 20;
