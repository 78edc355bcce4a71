// What a job is to the plane: its parts as types, and the pure rules about them. No clock, no store.
import type { OutputOf } from './output.ts';
import type { EndState, JobState } from './state.ts';

/** 0 is served first: critical, interactive, batch. */
export type PriorityRank = 0 | 1 | 2;

/** Policies are ordered by sequence; two with the same hash are the same policy. */
export interface PolicyVersion {
  /** Grows with every change. */
  readonly sequence: number;
  /** Digest of the policy's text. */
  readonly hash: string;
}

/** `sequence:hash`, as it stands in the record and in `policy_snapshot`. */
export function formatPolicy(version: PolicyVersion): string {
  return `${version.sequence}:${version.hash}`;
}

/** Reads `sequence:hash`; undefined for anything else. */
export function parsePolicy(text: string): PolicyVersion | undefined {
  const match = /^(\d{1,15}):([A-Za-z0-9_-]{1,64})$/.exec(text);
  if (match === null) return undefined;
  return { sequence: Number(match[1]), hash: match[2] as string };
}

/** The proof that a hand-out is the current one: both parts are compared by every script that writes for it. */
export interface Fence {
  /** max(last + 1, Redis time in ms): grows even when Redis forgot the last hand-out. */
  readonly fence: string;
  /** Random, so that two hand-outs never look alike even with equal fences. */
  readonly attempt: string;
}

/** A job as it is handed to `create`. */
export interface NewJob {
  readonly id: string;
  readonly tenant: string;
  readonly topic: string;
  readonly traceId: string;
  readonly principal: string;
  readonly parentId: string;
  readonly rank: PriorityRank;
  /** Digest of the canonical JobRequest and the tenant; what the gate compares. */
  readonly digest: string;
  /** The BusPacket, byte for byte as it will be forwarded. */
  readonly packet: Uint8Array;
  /** The payload's JSON text. Undefined for a job from the bus: the payload is in `ctx:<id>` already, or there is none. */
  readonly payload: string | undefined;
  /** Only with an undefined payload: whether `ctx:<id>` must be there. */
  readonly payloadExpected?: boolean;
  /** From acceptance to the end at the latest, ms. */
  readonly deadlineMs: number;
  readonly idempotency?: { readonly key: string; readonly digest: string };
  /** A step of its parent's run: made only while the parent is held under this fence, and cancelled when the parent has ended. */
  readonly bound?: Fence;
}

/** What the plane shows of a job. Times in ms since the epoch; empty strings and zeros where nothing is known. */
export interface JobView {
  readonly id: string;
  readonly state: JobState;
  readonly tenant: string;
  readonly topic: string;
  readonly traceId: string;
  readonly principal: string;
  readonly parentId: string;
  readonly createdAt: number;
  /** Unix seconds, as in the original. */
  readonly updatedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** When the handler of an ended job is known to have stopped; 0 while that is unknown. */
  readonly stoppedAt: number;
  readonly deadlineAt: number;
  readonly safetyDecision: string;
  readonly safetyReason: string;
  readonly rule: string;
  readonly policy: string;
  /** Who approved it, where the policy wanted a person. */
  readonly approvedBy: string;
  readonly pool: string;
  readonly worker: string;
  readonly fence: string;
  /** Hand-outs that a worker accepted. */
  readonly attempts: number;
  readonly failures: number;
  readonly losses: number;
  readonly execMs: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** It FAILED, and its worker said that another attempt would not help. */
  readonly final: boolean;
  /** `redis://res:...`, empty before the end. */
  readonly resultPtr: string;
  readonly artifactPtrs: readonly string[];
  readonly progress: { readonly percent: number; readonly message: string } | undefined;
  /** Whose text is kept, where an attempt gave out any. */
  readonly output: OutputOf | undefined;
}

/** One step of a job, as it stands in `ev:<tenant>` and goes out on `cortex.ev.<tenant>`. */
export interface JobEvent {
  /** The stream's id of this entry. */
  readonly id: string;
  /** The id of the entry before it, empty for the first: a follower that misses one sees it here. */
  readonly prev: string;
  readonly tenant: string;
  readonly job: string;
  readonly state: JobState;
  readonly fence: string;
  /** Redis time, ms. */
  readonly ts: number;
}

/** The end of a job as it is announced on `sys.job.result`. */
export interface JobEnd {
  readonly id: string;
  readonly state: EndState;
  readonly tenant: string;
  readonly topic: string;
  readonly traceId: string;
  readonly worker: string;
  readonly resultPtr: string;
  readonly execMs: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly artifactPtrs: readonly string[];
}

const idPattern = /^[A-Za-z0-9._-]{1,128}$/;
const mintedPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{10}([0-9a-f]{2})$/;

/** Whether text may be a job id. */
export function isJobId(text: string): boolean {
  return idPattern.test(text);
}

/** The partition that a minted id (UUIDv7) names in its last two digits; undefined for ids from outside. */
export function partitionOfMintedId(id: string): number | undefined {
  const match = mintedPattern.exec(id);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}
