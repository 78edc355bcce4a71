// What travels beside a packet on `worker.<id>.jobs`: the fence of the hand-out and its bounds, as headers, because the
// packet itself is forwarded byte for byte. It says nothing about the job; that is in the packet and in the record.
import { invalid } from '#core/errors.ts';
import { isId } from '#core/protocol/ids.ts';
import { headers } from '#core/protocol/subjects.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';

export interface HandOutHeaders {
  /** A whole number in decimal, compared by scripts only: it may have more digits than a double holds. */
  readonly fence: string;
  readonly attempt: string;
  /** The process that it was claimed for: another one may listen under the same worker id, from before or from after. */
  readonly instance: string;
  /** Whose job it is, by the record; what the packet says about tenants has no authority. */
  readonly tenant: string;
  /** How long the worker has to accept, ms; the lease that follows is the worker's own to ask for. */
  readonly leaseMs: number;
  /** The job's total deadline, ms since the epoch. */
  readonly deadlineAt: number;
  /** JSON on one line; empty for none. */
  readonly constraints: string;
}

/** The headers of a hand-out. A NATS header line is plain ASCII here: other characters go as JSON escapes. */
export function writeHandOut(handOut: HandOutHeaders): Record<string, string> {
  const written: Record<string, string> = {
    [headers.fence]: handOut.fence,
    [headers.attempt]: handOut.attempt,
    [headers.instance]: handOut.instance,
    [headers.tenant]: handOut.tenant,
    [headers.leaseMs]: String(handOut.leaseMs),
    [headers.deadline]: String(handOut.deadlineAt),
  };
  if (handOut.constraints !== '') written[headers.constraints] = escapeJson(handOut.constraints);
  return written;
}

/** Reads the headers of a hand-out; `header` looks one up by name. The error names the header. */
export function readHandOut(header: (name: string) => string | undefined): Result<HandOutHeaders> {
  const fence = header(headers.fence) ?? '';
  if (!/^[0-9]{1,20}$/.test(fence)) return err(invalid(headers.fence, 'must be a whole number'));
  const attempt = header(headers.attempt) ?? '';
  if (!isId(attempt)) return err(invalid(headers.attempt, 'must be an id'));
  const instance = header(headers.instance) ?? '';
  if (!isId(instance)) return err(invalid(headers.instance, 'must be an id'));
  const tenant = header(headers.tenant) ?? '';
  if (!isId(tenant)) return err(invalid(headers.tenant, 'must be an id'));
  const leaseMs = wholeNumber(header(headers.leaseMs));
  if (leaseMs === undefined) return err(invalid(headers.leaseMs, 'must be a whole number of milliseconds'));
  const deadlineAt = wholeNumber(header(headers.deadline));
  if (deadlineAt === undefined) return err(invalid(headers.deadline, 'must be a whole number of milliseconds'));
  return ok({ fence, attempt, instance, tenant, leaseMs, deadlineAt, constraints: header(headers.constraints) ?? '' });
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function escapeJson(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
