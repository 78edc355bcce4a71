// A worker makes itself known to the store: one live instance of each id.
import type { JobEnd } from './job.ts';

export interface Registration {
  readonly worker: string;
  readonly instance: string;
  readonly pool: string;
  readonly capacity: number;
  readonly aliveMs: number;
}

export interface Registered {
  /** `taken`: another live instance holds the id, for at most `aliveMs` more. */
  readonly outcome: 'ok' | 'taken';
  readonly aliveMs: number;
  /** What the instance before held, requeued as lost. */
  readonly ends: readonly JobEnd[];
  readonly requeued: number;
}
