// `?cursor=` of the streams: a position of the tenant's event stream, as a stream has told it, or a word for one of its ends.
import { z } from 'zod';
import { fromOldest, isEventId } from '#core/jobs/follow.ts';

export type Cursor = { readonly from: 'oldest' | 'now' } | { readonly from: 'after'; readonly id: string };

/** Empty or `$`: what comes from now on. `0`: all that is kept. Else the id of the last event that was seen. */
export function parseCursor(text: string): Cursor | undefined {
  if (text === '' || text === '$') return { from: 'now' };
  if (text === '0') return { from: 'oldest' };
  return isEventId(text) ? { from: 'after', id: text } : undefined;
}

/** A position as a client gives it back. */
export function formatCursor(position: string): string {
  return position === fromOldest ? '0' : position;
}

const problem = 'must be a cursor that a stream has told, 0 for all that is kept, or empty for what comes';

/** Undefined without the parameter. `ticket` is for the door and was read there. */
export const streamQuery = z.object({
  cursor: z
    .string()
    .transform((text, context) => {
      const cursor = parseCursor(text);
      if (cursor === undefined) context.addIssue({ code: 'custom', message: problem });
      return cursor ?? z.NEVER;
    })
    .optional(),
  ticket: z.string().optional(),
});
