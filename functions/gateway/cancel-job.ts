// The one way to cancel a job, for every door: ends it in the store, then tells the world. The store's word is what a worker obeys;
// the packets only make it look at once.
import { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { JobState } from '#core/jobs/state.ts';
import { endMessage } from '#core/protocol/end.ts';
import { cancelPacket, encodePacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import type { Identity } from '../http/keyring.ts';
import { hasRole, mayCancel } from '../http/roles.ts';
import type { GatewayDeps } from './deps.ts';

export interface Cancelled {
  readonly state: JobState;
  /** False: it had ended before, in that state. */
  readonly cancelled: boolean;
}

export type CancelJob = (identity: Identity, id: string) => Promise<Cancelled>;

const sender = 'api-gateway';

/** Throws CortexError `not_found`, also for another tenant's job, and `permission_denied` for a submitter and somebody else's job. */
export function createCancelJob(deps: Pick<GatewayDeps, 'store' | 'post' | 'clock' | 'log'>): CancelJob {
  const { store, post, clock, log } = deps;
  return async (identity, id) => {
    const { tenant } = identity;
    if (!hasRole(identity, 'operator')) allow(identity, await store.view(id, tenant));
    const [ended] = await store.end([
      {
        id,
        tenant,
        to: 'CANCELLED',
        seen: undefined,
        errorCode: 'cancelled',
        errorMessage: `cancelled by ${identity.principal}`,
      },
    ]);
    if (ended?.state === undefined || ended.outcome === 'missing') throw notFound();
    if (ended.outcome !== 'ended') return { state: ended.state, cancelled: false };

    // The original's packets: trace id and sender are what its clients look for.
    const head = { traceId: id, senderId: sender, atMs: clock.now() };
    const stop = cancelPacket(head, { jobId: id, reason: 'cancelled', requestedBy: identity.principal });
    post({ subject: subjects.cancel, data: encodePacket(stop) });
    if (ended.end !== undefined) post(endMessage({ ...ended.end, traceId: id }, sender, clock.now()));
    log.info('cancelled', { job_id: id, trace_id: ended.end?.traceId, tenant, principal: identity.principal });
    return { state: 'CANCELLED', cancelled: true };
  };
}

function allow(identity: Identity, job: JobView | undefined): void {
  if (job === undefined) throw notFound();
  if (mayCancel(identity, job.principal)) return;
  throw new CortexError('permission_denied', 'a submitter cancels its own jobs alone');
}

export function notFound(): CortexError {
  return new CortexError('not_found', 'job not found');
}
