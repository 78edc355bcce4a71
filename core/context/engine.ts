// The port to the context engine, as workers need it. Driver: rpc-engine.ts. Throws CortexError: `unavailable` when it cannot be reached.
import type { Fence } from '#core/jobs/job.ts';
import type { ModelMessage } from '#core/model/model.ts';
import type { Lines } from './piece.ts';

/** `raw`: what is asked alone; `chat`: with the memory; `rag`: with its repository as well. */
export type ContextMode = 'raw' | 'chat' | 'rag';

export interface WantedWindow {
  readonly tenant: string;
  readonly memory: string;
  readonly mode: ContextMode;
  /** By which tokens are counted; empty: not known. */
  readonly model: string;
  readonly prompt: string;
  readonly system: readonly string[];
  /** Behind what the memory holds, oldest first. */
  readonly history: readonly ModelMessage[];
  readonly maxInputTokens: number;
  readonly excludePaths: readonly string[];
}

export interface WindowSource {
  /** Place among the messages. */
  readonly message: number;
  readonly source: string;
  readonly lines?: Lines | undefined;
  readonly score: number;
  readonly reason: string;
  readonly tokens: number;
}

export interface GivenWindow {
  readonly messages: readonly ModelMessage[];
  readonly inputTokens: number;
  readonly limit: number;
  readonly estimated: boolean;
  /** Of what was found for the question. */
  readonly sources: readonly WindowSource[];
  /** Number of the memory's next entry: the memory as it was. */
  readonly next: number;
  readonly repository: string;
  readonly commit: string;
  /** The memory that it was: another one under the same name has another epoch. Empty: none. */
  readonly epoch: string;
}

export interface WantedIngest {
  readonly tenant: string;
  /** Speaks of the repository from now on; empty: none does. */
  readonly memory: string;
  readonly repository: string;
  /** The scan's result. */
  readonly scan: { readonly repo_root: string; readonly archive_ptr: string; readonly files: readonly unknown[] };
  readonly job: string;
  readonly hold: Fence;
}

export interface GivenIngest {
  readonly commit: string;
  readonly files: number;
  readonly chunks: number;
}

export interface Engine {
  window(wanted: WantedWindow, signal: AbortSignal): Promise<GivenWindow>;
  ingest(wanted: WantedIngest, signal: AbortSignal): Promise<GivenIngest>;
}
