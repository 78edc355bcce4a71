// The subjects on the bus, the queue group, and the header names: every name that two processes must agree on.
// Ids keep their dots in a subject (`worker.a.b.jobs` is an exact subject like any other), so nothing needs decoding;
// an id that would leave a token empty is refused, as are wildcards and blanks, which no id may contain anyway.
import { invalid } from '#core/errors.ts';
import { isId } from '#core/protocol/ids.ts';

/** Fixed subjects. `submit` is open to the tenants that configuration trusts; others submit on `submitFor(tenant)`. */
export const subjects = {
  submit: 'sys.job.submit',
  /** Every tenant's own submit subject, for a subscription. It does not cover `submit` itself. */
  submitOfTenants: 'sys.job.submit.>',
  result: 'sys.job.result',
  progress: 'sys.job.progress',
  cancel: 'sys.job.cancel',
  heartbeat: 'sys.heartbeat',
  alert: 'sys.alert',
} as const;

/** The schedulers share submissions and results through this group; heartbeats reach all of them, without it. */
export const schedulerGroup = 'cortex-scheduler';

/** Headers of a packet on `worker.<id>.jobs` (hand-out.ts gives them their types) and of others. Clients' own are never forwarded. */
export const headers = {
  fence: 'Cortex-Fence',
  attempt: 'Cortex-Attempt',
  instance: 'Cortex-Instance',
  tenant: 'Cortex-Tenant',
  /** Beside a JobResult, which has no field for it. */
  topic: 'Cortex-Topic',
  leaseMs: 'Cortex-Lease-Ms',
  deadline: 'Cortex-Deadline',
  constraints: 'Cortex-Constraints',
  /** Beside a submission or a progress: the store has it already. A hint without authority. */
  recorded: 'Cortex-Recorded',
} as const;

/** A heartbeat with this label comes from a worker that listens on `worker.<id>.jobs` and speaks hand-outs and fences. */
export const dispatchLabel = { name: 'cortex.dispatch', direct: 'direct' } as const;

/** Whether a heartbeat's labels say that its worker takes jobs on its own subject. */
export function isDirect(labels: Readonly<Record<string, string>>): boolean {
  return Object.hasOwn(labels, dispatchLabel.name) && labels[dispatchLabel.name] === dispatchLabel.direct;
}

/** Where a tenant submits that configuration does not trust on the open subject. Throws invalid_argument. */
export function submitFor(tenant: string): string {
  return `${subjects.submit}.${token('tenant', tenant)}`;
}

/** The tenant that a submit subject binds its packets to; undefined for the open subject, which binds none. */
export function boundTenant(subject: string): string | undefined {
  const prefix = `${subjects.submit}.`;
  return subject.startsWith(prefix) ? subject.slice(prefix.length) : undefined;
}

/** Where one worker takes its jobs. Throws invalid_argument. */
export function workerJobs(workerId: string): string {
  return `worker.${token('worker_id', workerId)}.jobs`;
}

/** Where the events of one tenant's jobs are published. Throws invalid_argument. */
export function tenantEvents(tenant: string): string {
  return `cortex.ev.${token('tenant', tenant)}`;
}

/** News of signals that came for a tenant's runs: the id of one. */
export function tenantSignals(tenant: string): string {
  return `cortex.wf.${token('tenant', tenant)}`;
}

/**
 * Where it is said that a job has given out more text; the message is empty. Names with dots may meet in one subject: then somebody
 * looks for nothing. Throws invalid_argument.
 */
export function jobOutput(tenant: string, jobId: string): string {
  return `cortex.out.${token('tenant', tenant)}.${token('job_id', jobId)}`;
}

/**
 * Whether text is a topic: `job.` and at least one more token, no wildcard, blank, control character or half of a character, at most 200
 * characters. A topic is also the subject on which foreign workers listen, hence no `sys.` and no `worker.` here.
 */
export function isTopic(text: string): boolean {
  return text.length <= 200 && /^job(\.[^\s.*>\p{Cc}\p{Cs}]+)+$/u.test(text);
}

/** Whether an id may stand in a subject: an id without an empty token (no dot at either end, no two in a row). */
export function isSubjectToken(text: string): boolean {
  return isId(text) && !text.startsWith('.') && !text.endsWith('.') && !text.includes('..');
}

function token(field: string, text: string): string {
  if (isSubjectToken(text)) return text;
  throw invalid(
    field,
    'must be 1 to 128 of letters, digits, ".", "_" and "-", with no dot at an end and no two in a row',
  );
}
