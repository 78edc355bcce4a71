// What a zod schema found wrong, in plain words: for bodies, queries and files alike. Where it stood is told, what stood there is not.
import type { z } from 'zod';

export interface FieldProblem {
  /** A path: `labels.team`, `steps[2].topic`. */
  readonly field: string;
  readonly detail: string;
}

type Issue = z.core.$ZodIssue;

/** One problem for each wrong field, the whole value as an empty one; a strict object has one for each name that it does not know. */
export function fieldProblems(error: z.ZodError): FieldProblem[] {
  // A number beyond every limit breaks two limits of one kind; the last is the narrower.
  const issues = new Map(error.issues.map((issue) => [`${issue.code} ${fieldPath(issue.path)}`, issue]));
  return [...issues.values()].flatMap(describe);
}

/** The same as lines, each beginning with its field. */
export function problemLines(error: z.ZodError): string[] {
  return fieldProblems(error).map(({ field, detail }) => (field === '' ? detail : `${field}: ${detail}`));
}

function describe(issue: Issue): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: fieldPath([...issue.path, key]), detail: 'is not a known field' }));
  }
  const field = fieldPath(issue.path);
  if (issue.code === 'invalid_key') return [{ field, detail: `has a wrong name: ${issue.issues[0]?.message ?? ''}` }];
  return [{ field, detail: sentence(issue) }];
}

function fieldPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path)
    text += typeof part === 'number' ? `[${part}]` : text === '' ? String(part) : `.${String(part)}`;
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  record: 'an object',
  object: 'an object',
};

function sentence(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'too_big':
      return `must ${bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)}`;
    case 'too_small':
      return `must ${bound(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum)}`;
    default:
      return issue.message;
  }
}

function bound(origin: string, how: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${how} ${limit} characters`;
  if (origin === 'array' || origin === 'object' || origin === 'record') return `have ${how} ${limit} entries`;
  return `be ${how} ${limit}`;
}
