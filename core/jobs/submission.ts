// Makes a job for the store out of a JobRequest: one way in for every door (REST, RPC, webhooks, bus, children of a workflow).
import { sha256 } from '@noble/hashes/sha2.js';
import { timeLeft } from '#core/protocol/budget.ts';
import { encodeRequestPacket } from '#core/protocol/envelope.ts';
import { canonicalRequestBytes } from '#core/protocol/canonical.ts';
import { priorityRank } from '#core/protocol/status.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import type { NewJob } from './job.ts';

/** A day: how long a job may take from acceptance to its end when nobody says otherwise, ms. */
export const defaultDeadlineMs = 24 * 3600 * 1000;

const encoder = new TextEncoder();

/** 128 bits of SHA-256 in base64url (22 characters): short enough for a compact Redis hash, too long to forge. */
export function digestOf(...parts: readonly (Uint8Array | string)[]): string {
  const pieces = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part));
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(whole.buffer);
  let at = 0;
  for (const piece of pieces) {
    // The length first, so that ('ab','c') and ('a','bc') differ.
    view.setUint32(at, piece.length, true);
    whole.set(piece, at + 4);
    at += 4 + piece.length;
  }
  let binary = '';
  for (const byte of sha256(whole).subarray(0, 16)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The digest of a request for a tenant: what create stores and the gate compares. */
export function requestDigest(request: JobRequest, tenant: string): string {
  return digestOf(canonicalRequestBytes(request), tenant);
}

export interface Submission {
  readonly request: JobRequest;
  readonly tenant: string;
  readonly principal: string;
  readonly traceId: string;
  /** The packet's sender_id. */
  readonly sender: string;
  /** The packet's created_at, ms since the epoch. */
  readonly now: number;
  readonly payload: string;
  readonly idempotency?: { readonly key: string; readonly digest: string };
}

/** How long a request may live from `now`: its budget's deadline, at most a day. One that is over is left to the gate to deny. ms. */
export function lifetimeOf(request: JobRequest, now: number): number {
  const left = timeLeft(Number(request.budget?.deadlineMs ?? 0n), now) ?? 0;
  return left > 0 && left < defaultDeadlineMs ? left : defaultDeadlineMs;
}

/** The job as `create` takes it; the packet is made once, here, and forwarded byte for byte from then on. */
export function newJob(submission: Submission): NewJob {
  const { request, tenant } = submission;
  const head = { traceId: submission.traceId, senderId: submission.sender, atMs: submission.now };
  // The bytes that are digested are those that go into the packet: encoding a request costs more than anything else here.
  const bytes = canonicalRequestBytes(request);
  return {
    id: request.jobId,
    tenant,
    topic: request.topic,
    traceId: submission.traceId,
    principal: submission.principal,
    parentId: request.parentJobId,
    rank: priorityRank(request.priority),
    digest: digestOf(bytes, tenant),
    packet: encodeRequestPacket(head, bytes),
    payload: submission.payload,
    deadlineMs: lifetimeOf(request, submission.now),
    ...(submission.idempotency === undefined ? {} : { idempotency: submission.idempotency }),
  };
}
