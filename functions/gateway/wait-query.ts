// `?wait=30`: how long an answer may take so that it can tell the end of the job.
import { z } from 'zod';

const maxWaitSeconds = 60;

/** The one parameter of whatever can wait: whole seconds from 0 to 60, as milliseconds; 0 without it. */
export const waitQuery = z.object({
  wait: z
    .string()
    .refine(
      (text) => /^\d{1,2}$/.test(text) && Number(text) <= maxWaitSeconds,
      `must be whole seconds from 0 to ${maxWaitSeconds}`,
    )
    .transform((text) => Number(text) * 1000)
    .default(0),
});
