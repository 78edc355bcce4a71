// The query of GET /api/v1/jobs. With none of its parameters the answer is the original's array; with any, a page.
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { isId } from '#core/protocol/ids.ts';
import { isState } from '#core/jobs/state.ts';
import type { PageQuery } from '#core/jobs/store.ts';
import { actingTenant } from '../http/roles.ts';
import type { Identity } from '../http/keyring.ts';
import { parseFields } from '../http/fields.ts';

export const defaultLimit = 50;
const maxLimit = 200;

const wholeNumber = z
  .string()
  .regex(/^\d{1,12}$/, 'must be a whole number')
  .transform(Number);

const listQuery = z.object({
  limit: wholeNumber.refine((n) => n >= 1 && n <= maxLimit, `must be from 1 to ${maxLimit}`).optional(),
  cursor: z.string().min(1).max(300).optional(),
  state: z.string().toUpperCase().refine(isState, 'is not the name of a state').optional(),
  topic: z.string().min(1).max(200).optional(),
  tenant: z.string().refine(isId, 'is not the name of a tenant').optional(),
  trace_id: z.string().refine(isId, 'is not the id of a trace').optional(),
  /** Unix seconds. */
  updated_after: wholeNumber.optional(),
  updated_before: wholeNumber.optional(),
  /** A later version of the original had teams. To ignore it would answer other jobs than were asked for. */
  team: z
    .unknown()
    .refine((value) => value === undefined, 'is not known here: jobs have a tenant and a principal')
    .optional(),
});

export interface ListQuery {
  readonly page: PageQuery;
  /** Whether any of the parameters was given. */
  readonly paged: boolean;
}

/** Throws HttpError 400 that names each wrong parameter, `permission_denied` for another tenant. Other parameters are let through. */
export function readListQuery(given: Readonly<Record<string, string>>, identity: Identity): ListQuery {
  const query = parseFields(listQuery, given);
  if (query.updated_after !== undefined && (query.updated_before ?? Infinity) < query.updated_after) {
    throw new CortexError('invalid_argument', 'updated_before: lies before updated_after', { field: 'updated_before' });
  }
  return {
    page: {
      tenant: query.tenant === undefined ? identity.tenant : actingTenant(identity, query.tenant, 'tenant'),
      limit: query.limit ?? defaultLimit,
      cursor: query.cursor,
      state: query.state,
      topic: query.topic,
      traceId: query.trace_id,
      updatedAfter: query.updated_after,
      updatedBefore: query.updated_before,
    },
    paged: Object.values(query).some((value) => value !== undefined),
  };
}
