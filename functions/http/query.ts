// The parameters after `?`: each may be given once, and a name that a route does not know is refused. To ignore one would answer
// something else than was asked for. The schemas are the routes'.
import { z } from 'zod';
import { type FieldProblem, HttpError, invalidFields } from '#core/http/errors.ts';
import { parseFields } from './fields.ts';
import type { AppContext } from './route.ts';

/** A route without parameters. */
export const noQuery = z.object({});

const maxProblems = 20;

/**
 * The query of a request as the schema reads it. Throws HttpError 400 that names every parameter that is unknown, given twice or
 * wrong, at most 20.
 */
export function readQuery<S extends z.ZodObject>(c: AppContext, schema: S): z.output<S> {
  const { url } = c.req;
  const at = url.indexOf('?');
  return parseQuery(schema, at === -1 ? '' : url.slice(at + 1));
}

/** As `readQuery`, from the text after the question mark. */
export function parseQuery<S extends z.ZodObject>(schema: S, text: string): z.output<S> {
  const given = new Map<string, string>();
  const problems = new Map<string, FieldProblem>();
  if (text !== '') {
    for (const [name, value] of new URLSearchParams(text)) {
      const field = name.length > 100 ? `${name.slice(0, 100)}...` : name;
      if (!Object.hasOwn(schema.shape, name)) problems.set(name, { field, detail: 'is not a parameter of this route' });
      else if (given.has(name)) problems.set(name, { field, detail: 'is given more than once' });
      else given.set(name, value);
    }
  }
  let query: z.output<S> | undefined;
  try {
    query = parseFields(schema, Object.fromEntries(given));
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    for (const problem of error.errors ?? []) if (!problems.has(problem.field)) problems.set(problem.field, problem);
  }
  if (query !== undefined && problems.size === 0) return query;
  throw invalidFields([...problems.values()].slice(0, maxProblems));
}
