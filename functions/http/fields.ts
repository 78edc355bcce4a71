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

/** The fields of an object; null counts as absent, whatever the field. */
export function fields<S extends z.ZodRawShape>(shape: S) {
  return nullIsAbsent(z.object(shape));
}

/** The same for a schema that is there already. */
export function nullIsAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess(withoutNulls, schema);
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const values = Object.values(value);
  return values.includes(null) ? Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null)) : value;
}

/** Text without control characters and halves of characters, since it goes into packets, keys and logs. */
export function line(max: number) {
  return z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters')
    .default('');
}

/** Text of any kind. */
export function prose(max: number) {
  return z.string().max(max).default('');
}

/** A whole number, not negative; 0 means `fallback`. */
export function amount(max: number, fallback: number) {
  return z
    .int()
    .min(0)
    .max(max)
    .overwrite((value) => (value === 0 ? fallback : value))
    .default(fallback);
}

export function flag() {
  return z.boolean().default(false);
}

/** Counts before it looks at each, since a body has room for a hundred thousand and zod says something of every one. */
function few<S extends z.ZodType>(max: number, schema: S) {
  const entries = (value: unknown): number =>
    typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
  return z
    .unknown()
    .refine((value) => entries(value) <= max, { message: `must have at most ${max} entries`, abort: true })
    .pipe(schema);
}

/** A list of short texts. */
export function words(maxItems: number, maxLength: number) {
  const word = z
    .string()
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not be empty or hold control characters');
  return few(maxItems, z.array(word)).default([]);
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
  return few(maxEntries, z.record(labelName, text)).default({});
}
