// What an answer looks like, whoever gives it: JSON, the id of its request, its type is what it says, and no cache keeps it.
// JSON of ours carries its headers from the start, as plain values: a Headers object costs Node more (built, changed, read back in
// order) than all else that is done for an answer. The middleware sees to every answer that was made elsewhere.
import { createMiddleware } from 'hono/factory';
import { requestIdOf, requestIdHeader } from '#core/http/request-id.ts';
import type { Ids } from '#core/system.ts';
import type { AppContext, AppEnv } from './route.ts';

const complete = new WeakSet<Response>();

const onEvery = (requestId: string) =>
  ({
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }) as const;

/** An answer in JSON. */
export function answer(
  c: AppContext,
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const response = new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...onEvery(c.get('requestId')), ...headers },
  });
  complete.add(response);
  return response;
}

/** Gives each request its id, and each answer what it must carry. */
export function answers(ids: Pick<Ids, 'random'>) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const id = requestIdOf(c.req.header(requestIdHeader), ids);
    c.set('requestId', id);
    await next();
    if (complete.has(c.res)) return;
    for (const [name, value] of Object.entries(onEvery(id))) c.res.headers.set(name, value);
  });
}
