// Streams over both runtimes: a gateway is killed in mid-stream, and the client goes on at the other kind with its cursor. Nothing is
// missing, nothing comes twice, and both tell the same in the same order.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pushConfig } from '#core/config/stored.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { until } from '../helpers/until.ts';
import { readSse } from '../http/sse.ts';
import { openSocket, type TestSocket } from '../http/sockets.ts';
import { startFunction, type Workerd } from './runtime.ts';
import { type EdgeStage, startEdgeStage } from './stage.ts';

const jobs = 60;

interface Heard {
  /** The packets, each counted when the cursor behind it has come. */
  readonly packets: string[];
  cursor: string;
}

/** Takes in the frames of one socket from `from` on; answers how many it has seen. */
function takeIn(socket: TestSocket, heard: Heard, from: number): number {
  let waiting: string | undefined;
  let seen = from;
  for (const [i, text] of socket.frames.entries()) {
    if (i < from) continue;
    const frame = JSON.parse(text) as {
      readonly cursor?: string;
      readonly jobRequest?: { readonly jobId: string };
      readonly jobResult?: { readonly jobId: string; readonly status: string };
    };
    if (frame.cursor === undefined) {
      const { jobRequest, jobResult } = frame;
      waiting = jobRequest === undefined ? `${jobResult?.jobId} ${jobResult?.status}` : `${jobRequest.jobId} submitted`;
      continue;
    }
    if (waiting !== undefined) heard.packets.push(waiting);
    waiting = undefined;
    heard.cursor = frame.cursor;
    seen = i + 1;
  }
  return seen;
}

describe('a client that follows at one runtime and goes on at the other', () => {
  let stage: EdgeStage;
  let edge: Workerd;
  let model: ModelServer;
  let [node, scheduler, worker]: ServiceProcess[] = [];
  const follow = async (at: string, cursor: string): Promise<TestSocket> => {
    const { socket } = await openSocket(at, `/api/v1/stream?cursor=${cursor}`);
    if (socket === undefined) throw new Error(`${at} refused`);
    return socket;
  };
  beforeEach(async () => {
    stage = await startEdgeStage();
    model = await startModelServer();
    const models = { OLLAMA_URL: model.url };
    await pushConfig(stage.db, 'policy', 'tenants: {default: {allow_topics: ["job.*"]}}');
    const safety = await startFunction('safety', stage.env);
    edge = await startFunction('gateway', { ...stage.env, EDGE_LOOPBACK: 'true' });
    const env = {
      ...{ NATS_URL: stage.nats.url, REDIS_URL: stage.redis.url, LOG_LEVEL: 'warn' },
      SAFETY_KERNEL_ADDR: new URL(safety.url).host,
    };
    const addresses = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };
    [node, scheduler, worker] = await Promise.all([
      startService('functions/gateway/node.ts', { ...env, ...addresses }, ['http', 'rpc', 'metrics']),
      startService('services/scheduler/node.ts', env, ['metrics']),
      startService('services/worker/node.ts', { ...env, ...models, WORKERS: 'echo,chat-advanced' }, ['metrics']),
    ]);
    stops = [
      () => worker?.stop(),
      () => scheduler?.stop(),
      () => safety.stop(),
      () => edge.stop(),
      () => stage.stop(),
      () => model.close(),
    ];
  });
  let stops: (() => Promise<unknown> | undefined)[] = [];
  afterEach(async () => {
    for (const stop of stops) await stop();
  });

  test.each(['Node', 'workerd'])('from %s, which is killed', async (killed) => {
    const nodeUrl = node?.urls['http'] ?? '';
    const [first, second] = killed === 'Node' ? [nodeUrl, edge.url] : [edge.url, nodeUrl];
    const heard: Heard = { packets: [], cursor: '' };
    const before = await follow(first, '0');
    const submitted: string[] = [];
    const submit = async (): Promise<void> => {
      const answer = await fetch(`${second}/api/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ topic: 'job.echo', prompt: 'x' }),
      });
      submitted.push(((await answer.json()) as { readonly job_id: string }).job_id);
    };
    const submitting = (async () => {
      for (let i = 0; i < jobs; i++) await submit();
    })();
    let seen = 0;
    await until(() => (seen = takeIn(before, heard, seen)) > 0 && heard.packets.length >= 20, {
      message: 'the first packets',
    });
    if (killed === 'Node') await node?.kill();
    else await edge.stop();
    await before.closed;
    takeIn(before, heard, seen);
    expect(heard.packets.length).toBeLessThan(2 * jobs);
    const after = await follow(second, heard.cursor);
    await submitting;
    let seenAfter = 0;
    await until(() => (seenAfter = takeIn(after, heard, seenAfter)) > 0 && heard.packets.length >= 2 * jobs, {
      message: () => `all; there are ${heard.packets.length}`,
      timeout: 15_000,
    });
    const expected = submitted.flatMap((id) => [`${id} submitted`, `${id} JOB_STATUS_SUCCEEDED`]);
    expect(heard.packets.toSorted()).toEqual(expected.toSorted());
    // Who follows from the beginning hears the same, in the same order.
    const whole: Heard = { packets: [], cursor: '' };
    const again = await follow(second, '0');
    await until(
      () => (takeIn(again, whole, 0) > 0 && whole.packets.length >= 2 * jobs ? true : void whole.packets.splice(0)),
      { timeout: 10_000 },
    );
    expect(heard.packets).toEqual(whole.packets);
    after.close();
    again.close();
    if (killed !== 'Node') expect(await node?.stop()).toBe(0);
  });

  test('to the answer of a model, by turns at both', async () => {
    const pieces = Array.from({ length: 600 }, (_, i) => `${i} ${'é\u{1F600}'.repeat(60)}`);
    model.play({ kind: 'whole', pieces });
    const bases = [edge.url, node?.urls['http'] ?? ''];
    const submitted = await fetch(`${bases[1]}/api/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ topic: 'job.chat.advanced', prompt: 'count' }),
    });
    const { job_id: id } = (await submitted.json()) as { readonly job_id: string };
    const heard = { text: '', steps: [] as unknown[], pieces: 0 };
    for (let lastId = '', turn = 0; heard.steps.at(-1) !== 'SUCCEEDED'; turn++) {
      const headers: Record<string, string> = lastId === '' ? {} : { 'Last-Event-ID': lastId };
      const reader = readSse(await fetch(`${bases[turn % 2]}/api/v1/jobs/${id}/events`, { headers }));
      // Breaks off behind each piece.
      for (let event = await reader.next(); event !== undefined; event = await reader.next()) {
        if (event.event === 'state' || event.event === 'end') heard.steps.push(event.data['state']);
        if (event.event !== 'output') continue;
        expect(event.data['offset']).toBe(heard.text.length);
        heard.text += String(event.data['text']);
        heard.pieces++;
        break;
      }
      ({ lastId } = reader);
      await reader.cancel();
    }
    expect(heard.pieces).toBeGreaterThan(2);
    expect(heard.text === pieces.join('')).toBe(true);
    expect(heard.steps).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
    expect(await node?.stop()).toBe(0);
  });
});
