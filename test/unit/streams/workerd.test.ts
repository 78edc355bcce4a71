// The streams in workerd: no bus, a gateway per request. A client that goes away gives its place back there as well.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSocket } from '../../http/sockets.ts';
import { readSse } from '../../http/sse.ts';
import { until } from '../../helpers/until.ts';

let worker: Miniflare;
let base: string;

beforeAll(async () => {
  const entry = fileURLToPath(new URL('./worker.fixture.ts', import.meta.url));
  const { outputFiles } = await build({
    ...{ entryPoints: [entry], bundle: true, write: false, format: 'esm', target: 'es2024', logLevel: 'error' },
    conditions: ['workerd', 'worker', 'browser'],
  });
  worker = new Miniflare({
    modules: true,
    script: outputFiles[0]?.text ?? '',
    compatibilityDate: '2026-08-06',
    compatibilityFlags: ['enable_request_signal'],
    host: '127.0.0.1',
    port: 0,
  });
  base = (await worker.ready).href.replace(/\/$/, '');
});
afterAll(async () => {
  await worker.dispose();
});

async function submit(): Promise<string> {
  const response = await fetch(`${base}/api/v1/jobs`, { method: 'POST', body: '{"topic":"job.echo"}' });
  return ((await response.json()) as { job_id: string }).job_id;
}

async function open(): Promise<Record<string, number>> {
  return (await (await fetch(`${base}/test/counts`)).json()) as Record<string, number>;
}

test('events of a job come while others are served, and the end ends them', async () => {
  const id = await submit();
  const sse = readSse(await fetch(`${base}/api/v1/jobs/${id}/events`));
  expect(await sse.next()).toMatchObject({ event: 'state', data: { state: 'PENDING' } });
  expect(await open()).toMatchObject({ sse: 1 });
  await fetch(`${base}/api/v1/jobs/${id}/cancel`, { method: 'POST' });
  expect(await sse.next()).toMatchObject({ event: 'end', data: { id, state: 'CANCELLED' } });
  expect(await sse.next()).toBeUndefined();
  await until(async () => (await open())['sse'] === 0);
});

test('packets come over a WebSocket, with cursors', async () => {
  const { socket } = await openSocket(base, '/api/v1/stream?cursor=');
  await socket?.first(1);
  const id = await submit();
  await fetch(`${base}/api/v1/jobs/${id}/cancel`, { method: 'POST' });
  const frames = await socket?.first(5);
  expect(frames?.[1]).toMatchObject({ jobRequest: { jobId: id } });
  expect(frames?.[3]).toMatchObject({ jobResult: { jobId: id, status: 'JOB_STATUS_CANCELLED' } });
  const again = await openSocket(base, `/api/v1/stream?cursor=${String(frames?.[2]?.['cursor'])}`);
  expect((await again.socket?.first(3))?.[1]).toMatchObject({ jobResult: { jobId: id } });
  expect(await open()).toMatchObject({ websocket: 2 });
  socket?.close();
  again.socket?.close();
  await until(async () => (await open())['websocket'] === 0);
});

test('who goes away gives its place back; who stays is told when its time is up', async () => {
  const id = await submit();
  const gone = new AbortController();
  const sse = readSse(await fetch(`${base}/api/v1/jobs/${id}/events`, { signal: gone.signal }));
  await sse.next();
  expect(await open()).toMatchObject({ sse: 1 });
  gone.abort();
  await until(async () => (await open())['sse'] === 0, { timeout: 3_000, message: 'the place of who went away' });
  const { socket } = await openSocket(base, '/api/v1/stream');
  const stays = readSse(await fetch(`${base}/api/v1/jobs/${id}/events`));
  expect((await stays.rest()).at(-1)).toMatchObject({ event: 'bye', data: { reason: 'lifetime' } });
  expect(await socket?.closed).toMatchObject({ code: 4001 });
  await until(async () => Object.values(await open()).every((n) => n === 0));
});

test('a plain request is told to upgrade', async () => {
  expect((await fetch(`${base}/api/v1/stream`)).status).toBe(426);
});
