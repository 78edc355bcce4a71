// What goes in and out of the process that replays.
import { z } from 'zod';
import type { Divergence } from '#core/model/recorded.ts';
import { recordingShape } from '#core/model/recording.ts';

export const replayTask = recordingShape.extend({ payload: z.string().nullable() });
export type ReplayTask = z.output<typeof replayTask>;

export interface ReplayOutcome {
  readonly status: string;
  /** JSON text. */
  readonly result: string | null;
  readonly error_code: string;
  readonly error_message: string;
}

export type Replayed =
  | { readonly outcome: ReplayOutcome; readonly divergence: Divergence | undefined }
  /** It could not be run at all. */
  | { readonly problem: string };
