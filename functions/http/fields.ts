// Bodies and queries as typed values: zod schemas in, every wrong field in plain words out. The schemas are the routes'.
import { z } from 'zod';
import { fieldProblems } from '#core/field-problem.ts';
import { invalidFields } from '#core/http/errors.ts';

/** The value as the schema reads it, defaults filled in. Throws HttpError 400 that names every wrong field, at most 20. */
export function parseFields<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = fieldProblems(parsed.error).slice(0, 20);
  throw invalidFields(problems.map(({ field, detail }) => ({ field: field === '' ? 'body' : field, detail })));
}

/** Text without control characters and halves of characters, since it goes into packets, keys and logs. Null is the empty text. */
export function line(max: number) {
  return z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters')
    .nullish()
    .transform((value) => value ?? '');
}

/** Text of any kind. Null is the empty text. */
export function prose(max: number) {
  return z
    .string()
    .max(max)
    .nullish()
    .transform((value) => value ?? '');
}

/** A whole number, not negative; 0 and null mean `fallback`. */
export function amount(max: number, fallback: number) {
  return z
    .int()
    .min(0)
    .max(max)
    .nullish()
    .transform((value) => (value === null || value === undefined || value === 0 ? fallback : value));
}

export function flag() {
  return z
    .boolean()
    .nullish()
    .transform((value) => value ?? false);
}

/** Counts before it looks at each, since a body has room for a hundred thousand and zod says something of every one. */
function few<S extends z.ZodType>(max: number, schema: S) {
  const entries = (value: unknown): number =>
    typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
  return z
    .unknown()
    .refine((value) => entries(value) <= max, { message: `must have at most ${max} entries`, abort: true })
    .pipe(schema)
    .optional();
}

/** A list of short texts. */
export function words(maxItems: number, maxLength: number) {
  const word = z
    .string()
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not be empty or hold control characters');
  return few(maxItems, z.array(word).nullish()).transform((value): readonly string[] => value ?? []);
}

const labelName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, 'must be letters, digits, ".", "_", "/" and "-"');

/** A map of short texts to short texts. */
export function labels(maxEntries: number) {
  const text = z
    .string()
    .max(256)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters');
  const map = z.record(labelName, text).nullish();
  return few(maxEntries, map).transform((value): Readonly<Record<string, string>> => value ?? {});
}
