// What the host tells about itself as it happens: tests wait for these, metrics and logs are made from them.
import type { EndState, JobState } from '#core/jobs/state.ts';
import type { StopReason } from '#core/jobs/store.ts';
import type { Sent } from '#core/model/model.ts';

/**
 * Why a handler had to stop. The store's reasons, and the host's own: `deadline` (its time is over), `lease` (the lease could not be
 * renewed in time), `replaced` (another process holds the worker's id), `shutdown`.
 */
export type AbortCause = StopReason | 'deadline' | 'lease' | 'replaced' | 'shutdown';

/** Which attempt an event is about. */
export interface About {
  readonly worker: string;
  readonly topic: string;
  readonly job: string;
  readonly fence: string;
}

export type HostEvent =
  | { readonly type: 'listening'; readonly workers: readonly string[] }
  /** A packet that is no hand-out for this worker, or not for this process. */
  | { readonly type: 'dropped'; readonly worker: string; readonly problem: string }
  /** A hand-out was given back: no free slot, or the host is draining. */
  | (About & { readonly type: 'refused'; readonly why: 'busy' | 'drained' })
  /** `waitedMs`: since it entered its ready queue. */
  | (About & {
      readonly type: 'accepted';
      readonly pool: string;
      readonly attempt: number;
      readonly waitedMs: number;
    })
  /** The store could not be asked before the time to accept was over. */
  | (About & { readonly type: 'unaccepted'; readonly error: unknown })
  | (About & { readonly type: 'started' })
  | (About & { readonly type: 'aborted'; readonly cause: AbortCause })
  /** A request to a model is over. */
  | (About & { readonly type: 'asked' } & Sent)
  /** The handler has returned or thrown. */
  | (About & { readonly type: 'settled'; readonly execMs: number })
  /** The handler still runs long after it was told to stop. */
  | (About & { readonly type: 'unresponsive'; readonly sinceMs: number })
  | (About & {
      readonly type: 'committed';
      readonly status: EndState;
      readonly outcome: 'committed' | 'retry';
      readonly state: JobState | undefined;
      readonly execMs: number;
    })
  /** The fence was not the current one any more. */
  | (About & {
      readonly type: 'stale';
      readonly step: 'accept' | 'commit' | 'artifact' | 'output';
      readonly reason: StopReason | undefined;
    })
  /** The outcome could not be stored while the lease lasted. */
  | (About & { readonly type: 'uncommitted'; readonly error: unknown })
  | (About & { readonly type: 'handed_back'; readonly why: 'lost' | 'drained' })
  /** The attempt is over in every respect; its slot is free. */
  | (About & { readonly type: 'done' })
  | {
      readonly type: 'slots';
      readonly worker: string;
      readonly topic: string;
      readonly active: number;
      readonly parallel: number;
    }
  | { readonly type: 'renewed'; readonly jobs: number; readonly tookMs: number }
  | { readonly type: 'renewal_failed'; readonly error: unknown }
  /** The event loop stood still for so long that a renewal came late. */
  | { readonly type: 'stalled'; readonly lateMs: number }
  | { readonly type: 'replaced'; readonly worker: string }
  | { readonly type: 'draining' }
  | { readonly type: 'drained'; readonly handedBack: number };
