// The peer behind HTTP: the same route, body and `?wait=` as our gateway's, on the same Hono and the same server. It checks the body's
// two fields and does nothing else: no keys, limits, ids of traces or metrics.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { announceListening } from '#core/process/announce.node.ts';
import { payload } from '../payload.ts';
import { connectSubmitter } from './queue.ts';

const submitter = await connectSubmitter(process.env['REDIS_URL'] ?? '');
const app = new Hono();
app.post('/api/v1/jobs', async (c) => {
  const body = await c.req.json<{ topic?: unknown; prompt?: unknown }>();
  if (typeof body.prompt !== 'string' || body.topic !== 'job.echo') return c.json({ error: 'prompt, topic' }, 400);
  const data = { ...payload, prompt: body.prompt };
  if (c.req.query('wait') === undefined) return c.json({ job_id: await submitter.add(data) }, 202);
  const { id, result } = await submitter.run(data);
  return c.json({ job_id: id, state: 'SUCCEEDED', result });
});
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
  announceListening('http', `http://127.0.0.1:${port}`),
);
process.once('SIGTERM', () => {
  server.close();
  submitter.close().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
