// A submission that was accepted never answers an error, whatever becomes of the wait for its end.
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import type { Archives } from '#core/archives/archives.ts';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import { submitRoutes } from '../../../functions/gateway/routes/submit.ts';
import type { SubmitJobs } from '../../../functions/gateway/submit-job.ts';
import type { Place, Waiters } from '../../../functions/gateway/waiters.ts';
import type { AppEnv } from '../../../functions/http/route.ts';

const away = new CortexError('unavailable', 'away');

/** Places that were entered and not left. */
let entered = 0;

function post(
  wait: Place['wait'],
  submitJob: SubmitJobs = async () => ({ jobId: 'j1', traceId: 't1', replayed: true }),
): Promise<Response> {
  const enter: Waiters['enter'] = () => {
    entered++;
    return { wait, expect: () => undefined, leave: () => void entered-- };
  };
  const routes = submitRoutes({ archives: {} as Archives, submitJob, waiters: { enter } as Waiters, log: silentLog });
  const app = new Hono<AppEnv>();
  app.use(async (c, next) => {
    c.set('identity', { keyId: 'k', tenant: 't', principal: 'p', role: 'submitter' });
    await next();
  });
  app.onError((_, c) => c.text('', 503));
  for (const { method, path, handle } of routes) app.on(method, path, handle);
  return Promise.resolve(app.request('/api/v1/jobs?wait=5', { method: 'POST', body: '{}' }));
}

test.each([
  ['the wait fails', () => post(() => Promise.reject(away))],
  ['the record is gone', () => post(async () => undefined)],
])('%s: 202 with the ids', async (_, send) => {
  const response = await send();
  expect(response.status).toBe(202);
  expect(response.headers.get('location')).toBe('/api/v1/jobs/j1');
  expect(response.headers.get('idempotent-replayed')).toBe('true');
  expect(await response.json()).toEqual({ job_id: 'j1', trace_id: 't1' });
  expect(entered).toBe(0);
});

test('a submission that fails leaves the place that it was to wait in', async () => {
  const response = await post(
    () => Promise.reject(new Error('nobody waits')),
    () => Promise.reject(away),
  );
  expect(response.status).toBe(503);
  expect(entered).toBe(0);
});
