import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { CortexError, errorCodes, invalid } from '#core/errors.ts';
import {
  fromConnectError,
  HttpError,
  httpStatus,
  invalidFields,
  problem,
  problemResponse,
  toConnectError,
} from '#core/http/errors.ts';

describe('a problem', () => {
  it('has a status and a title for each of the sixteen codes', () => {
    const statuses = Object.fromEntries(errorCodes.map((code) => [code, httpStatus(new CortexError(code, 'x'))]));
    expect(statuses).toEqual({
      canceled: 499,
      unknown: 500,
      invalid_argument: 400,
      deadline_exceeded: 504,
      not_found: 404,
      already_exists: 409,
      permission_denied: 403,
      resource_exhausted: 429,
      failed_precondition: 409,
      aborted: 409,
      out_of_range: 400,
      unimplemented: 501,
      internal: 500,
      unavailable: 503,
      data_loss: 500,
      unauthenticated: 401,
    });
    for (const code of errorCodes) expect(problem(new CortexError(code, 'x')).body.title).toMatch(/^[A-Z]/);
  });

  it('names the field and the request', async () => {
    const response = problemResponse(invalid('labels.team', 'is too long'), 'req-1');
    expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'labels.team: is too long',
      code: 'invalid_argument',
      field: 'labels.team',
      instance: 'req-1',
    });
  });

  it('names every wrong field, and keeps a finer status and headers', () => {
    const several = problem(
      invalidFields([
        { field: 'topic', detail: 'is empty' },
        { field: 'tags[3]', detail: 'is no text' },
      ]),
    );
    expect(several.body).toMatchObject({
      status: 400,
      field: 'topic',
      errors: [{ field: 'topic' }, { field: 'tags[3]' }],
    });
    expect(several.body.detail).toBe('topic: is empty; tags[3]: is no text');
    const busy = problem(new HttpError(429, 'resource_exhausted', 'slow down', { headers: { 'Retry-After': '3' } }));
    expect([busy.status, busy.headers['Retry-After'], busy.body.title]).toEqual([429, '3', 'Too Many Requests']);
    expect(problem(new HttpError(422, 'already_exists', 'another body')).body.title).toBe('Unprocessable Content');
  });

  it.each([
    ['a cause', new CortexError('unavailable', 'the store is away', { cause: new Error('10.0.0.3 secret') })],
    ['an error of others', new Error('10.0.0.3 secret')],
    ['no error at all', '10.0.0.3 secret'],
  ])('never sends %s', (_, error) => {
    const text = JSON.stringify(problem(error));
    expect(text).not.toContain('secret');
    const wire = toConnectError(error);
    expect(`${wire.message} ${JSON.stringify([...wire.metadata])} ${String(wire.cause)}`).not.toContain('secret');
  });

  it('tells an abort from a time-out', () => {
    expect(problem(AbortSignal.abort().reason).status).toBe(499);
    expect(problem(new DOMException('x', 'TimeoutError')).status).toBe(504);
  });
});

describe('over Connect', () => {
  it.each(errorCodes)('%s comes back as itself, with its field', (code) => {
    const back = fromConnectError(toConnectError(new CortexError(code, 'what happened', { field: 'größe[2]' })));
    expect(back).toBeInstanceOf(CortexError);
    expect([back.code, back.message, back.field]).toEqual([code, 'what happened', 'größe[2]']);
  });

  it("Connect's own errors pass, and a foreign field header is taken as it is", () => {
    const own = new ConnectError('no such method', Code.Unimplemented);
    expect(toConnectError(own)).toBe(own);
    expect(fromConnectError(new ConnectError('x', Code.NotFound, { 'cortex-field': '100%' })).field).toBe('100%');
    expect(fromConnectError(new Error('who knows')).code).toBe('unknown');
  });
});
