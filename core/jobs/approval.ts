// What a person decides about a job that the policy holds for one, and how it is answered. DENIED and CANCELLED go through `end`.
import { CortexError } from '#core/errors.ts';
import type { JobState } from './state.ts';

/**
 * A person lets the job go on: AWAITING_APPROVAL to PENDING, due at once. The word holds for this body under the policy that asked
 * for it; the gate may then schedule the job with the decision REQUIRE_HUMAN. Judged under another policy, the word is void.
 */
export interface Approve {
  readonly id: string;
  readonly tenant: string;
  /** Of the job that the person saw; refused unless it is the stored one. */
  readonly digest: string;
  /** Who decided. */
  readonly principal: string;
}

export interface Approved {
  /** `state`: it does not wait for a person (any more); `digest`: the stored job is another one; `missing`: no such job. */
  readonly outcome: 'approved' | 'state' | 'digest' | 'missing';
  readonly state: JobState | undefined;
}

/** Nobody approves anything without a name. Throws `internal`: whoever asks for that is wrong himself. */
export function checkApproval({ id, principal }: Approve): void {
  if (principal === '') throw new CortexError('internal', `approval of ${id} by nobody`);
}
