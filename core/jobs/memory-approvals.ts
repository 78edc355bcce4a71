// The twin's approvals.
import type { Approve, Approved } from './approval.ts';
import { type JobRecord, type Memory, move, recordOf } from './memory-state.ts';
import { mayGo } from './state.ts';
import type { Gate } from './store.ts';

export function approveJob(memory: Memory, item: Approve): Approved {
  const record = recordOf(memory, item.id);
  if (record === undefined || record.tenant !== item.tenant) return { outcome: 'missing', state: undefined };
  const { state, policy } = record;
  if (record.digest !== item.digest) return { outcome: 'digest', state };
  if (state !== 'AWAITING_APPROVAL' || policy === undefined || !mayGo(state, 'PENDING')) {
    return { outcome: 'state', state };
  }
  record.approval = { digest: item.digest, hash: policy.hash, principal: item.principal };
  memory.due.set(record.id, memory.options.now());
  move(memory, record, 'PENDING');
  return { outcome: 'approved', state: 'PENDING' };
}

/** Whether a person approved the job that is judged, under the policy that judges. */
export function isApproved({ approval }: JobRecord, { digest, policy }: Gate): boolean {
  return approval !== undefined && approval.digest === digest && approval.hash === policy?.hash;
}
