// What every error of the gateway looks like: problem JSON with the right status, a code, the id of the request, and the field.
import { expect } from 'vitest';

export interface Expected {
  readonly code?: string;
  readonly field?: string;
  /** A part of the sentence. */
  readonly detail?: string | RegExp;
}

/** Checks the answer and gives its body. */
export async function expectProblem(response: Response, status: number, expected: Expected = {}) {
  const body = (await response.json()) as Record<string, unknown>;
  expect(body).toMatchObject({ type: 'about:blank', status });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(body['instance']).toBe(response.headers.get('x-request-id'));
  // The words of the status (RFC 9110), and never our code in their place.
  expect(body['title']).toMatch(/^[A-Z][a-z]+( [A-Z][a-z]+)*$/);
  if (expected.code !== undefined) expect(body['code']).toBe(expected.code);
  if (expected.field !== undefined) expect(body['field']).toBe(expected.field);
  if (expected.detail !== undefined) expect(body['detail']).toMatch(expected.detail);
  return body;
}
