// The query of GET /api/v1/jobs. With none of its parameters the answer is the original's array; with any, a page.
import { z } from 'zod';
import { isCursor } from '#core/jobs/checks.ts';
import { isId } from '#core/protocol/ids.ts';
import { isState } from '#core/jobs/state.ts';
import type { PageQuery } from '#core/jobs/store.ts';
import { actingTenant } from '../http/roles.ts';
import type { Identity } from '../http/keyring.ts';

export const defaultLimit = 50;
const maxLimit = 200;

const wholeNumber = z
  .string()
  .regex(/^\d{1,12}$/, 'must be a whole number')
  .transform(Number);

/** Its other names are refused: a later version of the original had `team`, and whoever asks for one must not get everybody's jobs. */
export const listQuery = z
  .object({
    limit: wholeNumber.refine((n) => n >= 1 && n <= maxLimit, `must be from 1 to ${maxLimit}`).optional(),
    cursor: z.string().refine(isCursor, 'is not one that a page answered').optional(),
    state: z.string().toUpperCase().refine(isState, 'is not the name of a state').optional(),
    topic: z.string().min(1).max(200).optional(),
    tenant: z.string().refine(isId, 'is not the name of a tenant').optional(),
    trace_id: z.string().refine(isId, 'is not the id of a trace').optional(),
    /** Unix seconds. */
    updated_after: wholeNumber.optional(),
    updated_before: wholeNumber.optional(),
  })
  .refine(({ updated_after: after, updated_before: before }) => !(Number(before) < Number(after)), {
    path: ['updated_before'],
    message: 'lies before updated_after',
    // Also beside other problems, so that one answer tells all.
    when: () => true,
  });

export interface ListQuery {
  readonly page: PageQuery;
  /** Whether any of the parameters was given. */
  readonly paged: boolean;
}

/** The page that is meant. Throws `permission_denied` for another tenant. */
export function pageQuery(query: z.output<typeof listQuery>, identity: Identity): ListQuery {
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
