// `?cursor=` of the streams: a position of the tenant's event stream, as a stream has told it, or a word for one of its ends. In the events
// of one job a place in its output may stand behind it: `<id>~<fence>.<bytes>.<characters>`, and `~e` where all is told but the end.
import { z } from 'zod';
import { fromOldest, isEventId } from '#core/jobs/follow.ts';

/** How much of an attempt's text a client has. */
export interface OutputPlace {
  readonly fence: string;
  /** Bytes, as the store counts. */
  readonly at: number;
  /** The same in characters of UTF-16, as clients count. */
  readonly offset: number;
}

export type Cursor = { readonly from: 'oldest' | 'now' } | After;

export interface After {
  readonly from: 'after';
  readonly id: string;
  readonly output: OutputPlace | undefined;
  /** The job has ended, and its end is what has not been told. */
  readonly ending: boolean;
}

const behind = /^(?:~(\d{1,16})\.(\d{1,7})\.(\d{1,7})(~e)?)?$/;

/** Empty or `$`: what comes from now on. `0`: all that is kept. Else what a stream has told. */
export function parseCursor(text: string): Cursor | undefined {
  if (text === '' || text === '$') return { from: 'now' };
  if (text === '0') return { from: 'oldest' };
  const cut = text.indexOf('~');
  const id = cut < 0 ? text : text.slice(0, cut);
  const [whole, fence = '0', at, offset, e] = behind.exec(cut < 0 ? '' : text.slice(cut)) ?? [];
  if (!isEventId(id) || whole === undefined) return undefined;
  const output = fence === '0' ? undefined : { fence, at: Number(at), offset: Number(offset) };
  return { from: 'after', id, output, ending: e !== undefined };
}

/** A position as a client gives it back. */
export function formatCursor(position: string, output?: OutputPlace, ending = false): string {
  if (position === fromOldest) return '0';
  if (output === undefined && !ending) return position;
  const { fence, at, offset } = output ?? { fence: '0', at: 0, offset: 0 };
  return `${position}~${fence}.${at}.${offset}${ending ? '~e' : ''}`;
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
