// Streams when things die: a gateway killed under load, a bus that is gone, clients that stop to read, a thousand that only sit there.
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { JobEvent } from '#core/jobs/job.ts';
import { isEnd } from '#core/jobs/state.ts';
import { type Follower, followStream, type Packet } from '../helpers/e2e/follow.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';
import { readSse, type SseEvent } from '../http/sse.ts';

let system: System | undefined;
let second: ServiceProcess | undefined;
let followers: Follower[] = [];
afterEach(async () => {
  for (const one of followers) one.close();
  followers = [];
  await second?.stop();
  second = undefined;
  await system?.stop();
  system = undefined;
}, 60_000);

/** One more gateway of the same system. */
async function anotherGateway(of: System): Promise<string> {
  const anywhere = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0', LOG_LEVEL: 'warn' };
  const env = { NATS_URL: of.nats.url, REDIS_URL: of.redis.url, ...anywhere };
  second = await startService('functions/gateway/node.ts', env, ['http', 'metrics']);
  return second.urls['http'] ?? '';
}

async function follow(...gateways: string[]): Promise<Follower> {
  const one = await followStream(gateways);
  followers.push(one);
  return one;
}

/** All events of the tenant, from the store. */
async function eventsOf(of: System): Promise<readonly JobEvent[]> {
  const all: JobEvent[] = [];
  for (;;) {
    const page = await of.store.events('default', all.at(-1)?.id ?? '', 1_000);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

/** What a stream of these events tells: `+ID` for a submission, `-ID STATE` for an end. */
function toldBy(events: readonly JobEvent[]): string[] {
  const seen = new Set<string>();
  return events.flatMap(({ job, state }) => {
    if (isEnd(state)) return [`-${job} ${state}`];
    if (seen.has(job)) return [];
    seen.add(job);
    return [`+${job}`];
  });
}

function told({ jobRequest, jobResult }: Packet): string {
  if (jobRequest !== undefined) return `+${jobRequest.jobId}`;
  return `-${jobResult?.jobId} ${jobResult?.status.replace('JOB_STATUS_', '')}`;
}

async function openStreams(metrics: string | undefined): Promise<number> {
  const text = await (await fetch(`${metrics}/metrics`)).text();
  const counts = text.matchAll(/^cortex_api_gateway_streams_open\{kind="\w+"\} (\d+)$/gm);
  return Array.from(counts).reduce((sum, [, n]) => sum + Number(n), 0);
}

test('a gateway killed in mid-stream: another one goes on, nothing missing, nothing twice', {
  timeout: 60_000,
}, async () => {
  system = await startSystem();
  await system.worker('job.test.quick', 'quick', 16);
  const here = system.gateway.process.urls['http'] ?? '';
  const there = await anotherGateway(system);
  const all = await Promise.all(Array.from({ length: 5 }, () => follow(here, there)));
  // One job is followed as well, over both.
  const steps: SseEvent[] = [];
  const watch = async (id: string): Promise<void> => {
    for (let at = 0, lastId = ''; ; at++) {
      const base = at % 2 === 0 ? here : there;
      try {
        const headers = lastId === '' ? {} : { 'Last-Event-ID': lastId };
        const reader = readSse(await fetch(`${base}/api/v1/jobs/${id}/events`, { headers }));
        for (let event = await reader.next(); event !== undefined; event = await reader.next()) {
          if (event.id !== undefined) lastId = event.id;
          if (event.event === 'progress') continue;
          steps.push(event);
          if (event.event === 'end') return;
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it was killed
      }
    }
  };
  const submit = async (topic: string): Promise<string> => {
    const response = await fetch(`${there}/api/v1/jobs`, { method: 'POST', body: JSON.stringify({ topic }) });
    expect(response.status).toBe(202);
    return ((await response.json()) as { job_id: string }).job_id;
  };
  await system.worker('job.test.gate', 'gate');
  const slow = await submit('job.test.gate');
  const watched = watch(slow);
  const load = Array.from({ length: 20 }, async () => {
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) ids.push(await submit('job.test.quick'));
    return ids;
  });
  await until(() => all.every(({ packets }) => packets.length > 300), { message: 'the streams to be under way' });
  await system.gateway.kill();
  const ids = (await Promise.all(load)).flat();
  await system.ended(ids);
  await system.db.set(`test:open:${slow}`, '1');
  await watched;
  const wanted = toldBy(await eventsOf(system));
  expect(wanted).toHaveLength(2 * 801);
  for (const { packets } of all) {
    await until(() => packets.length >= wanted.length, {
      message: () => `${wanted.length} packets; ${packets.length}`,
    });
  }
  for (const one of all) {
    expect(one.packets.map(told)).toEqual(wanted);
    expect([one.connections, one.resets]).toEqual([2, 0]);
  }
  expect(steps.map(({ data }) => data['state'])).toEqual([
    'PENDING',
    'SCHEDULED',
    'DISPATCHED',
    'RUNNING',
    'SUCCEEDED',
  ]);
});

test('a bus that is gone in mid-stream costs no event', { timeout: 60_000 }, async () => {
  system = await startSystem();
  await system.worker('job.test.quick', 'quick', 16);
  const here = system.gateway.process.urls['http'] ?? '';
  const one = await follow(here);
  await system.ended(await system.submitMany('job.test.quick', 100));
  await until(() => one.packets.length >= 200);
  await system.nats.kill();
  const without = await system.submitMany('job.test.quick', 50);
  // Ends come without a bus as well.
  for (const id of without.slice(0, 10)) await system.http('POST', `/api/v1/jobs/${id}/cancel`);
  await until(() => one.packets.length >= 260, { message: () => `260 packets without a bus; ${one.packets.length}` });
  await system.nats.restart();
  await system.ended(without);
  await system.ended(await system.submitMany('job.test.quick', 50));
  const wanted = toldBy(await eventsOf(system));
  expect(wanted).toHaveLength(400);
  await until(() => one.packets.length >= wanted.length);
  expect(one.packets.map(told)).toEqual(wanted);
  expect([one.connections, one.resets]).toEqual([1, 0]);
});

test('a client that does not read is closed, and costs the others nothing', { timeout: 60_000 }, async () => {
  system = await startSystem();
  const here = system.gateway.process.urls['http'] ?? '';
  const { metrics } = system.gateway.process.urls;
  const fast = await follow(here);
  const deaf = new WebSocket(`${here.replace(/^http/, 'ws')}/api/v1/stream?cursor=`);
  await new Promise((resolve) => deaf.once('message', resolve));
  deaf.pause();
  const closed = new Promise<readonly [number, string]>((resolve) => {
    deaf.once('close', (code, reason) => resolve([code, reason.toString()]));
  });
  // 1,500 submissions of about 10 KB: more than sockets hold.
  const labels = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`label-${i}`, 'x'.repeat(250)]));
  const body = JSON.stringify({ topic: 'job.test.nobody', labels });
  const lane = async (): Promise<void> => {
    for (let i = 0; i < 150; i++) {
      const response = await fetch(`${here}/api/v1/jobs`, { method: 'POST', body });
      if (response.status !== 202) throw new Error(await response.text());
      await response.text();
    }
  };
  await Promise.all(Array.from({ length: 10 }, lane));
  await until(() => fast.packets.length >= 1_500, { timeout: 10_000 });
  const slow = /^cortex_api_gateway_streams_ended_total\{kind="websocket",cause="slow"\} 1$/m;
  await until(async () => slow.test(await (await fetch(`${metrics}/metrics`)).text()), { timeout: 20_000 });
  await until(async () => (await openStreams(metrics)) === 1);
  deaf.resume();
  const [code] = await closed;
  // The word of it comes if the client reads again in time; it is cut off otherwise.
  expect([4002, 1006]).toContain(code);
});

test('a thousand idle streams: what they cost, and that nothing is left of them', { timeout: 90_000 }, async () => {
  system = await startSystem();
  const { pid, urls } = system.gateway.process;
  const { http: here = '', metrics } = urls;
  const id = await system.submit('job.test.nobody');
  for (let i = 0; i < 200; i++) await (await fetch(`${here}/api/v1/jobs`)).text();
  const before = rssOf(pid);
  const sockets = await inTens(500, async () => {
    const ws = new WebSocket(`${here.replace(/^http/, 'ws')}/api/v1/stream?cursor=`);
    await new Promise((resolve, reject) => ws.once('message', resolve).once('error', reject));
    return ws;
  });
  const withSockets = rssOf(pid);
  const gone = new AbortController();
  const readers = await inTens(500, async () => {
    const reader = readSse(await fetch(`${here}/api/v1/jobs/${id}/events`, { signal: gone.signal }));
    await reader.next();
    return reader;
  });
  const after = rssOf(pid);
  expect(await openStreams(metrics)).toBe(1_000);
  const [perSocket, perReader] = [(withSockets - before) / 500, (after - withSockets) / 500];
  console.info(
    `idle streams: ${perSocket.toFixed(1)} KB each of 500 WebSockets, ${perReader.toFixed(1)} KB each of 500 SSE`,
  );
  expect(perSocket).toBeLessThan(150);
  expect(perReader).toBeLessThan(250);
  // All of them hear of a job, and it takes one subscription.
  const began = performance.now();
  const all = sockets.map((ws) => new Promise((resolve) => ws.once('message', resolve)));
  await system.http('POST', `/api/v1/jobs/${id}/cancel`);
  await Promise.all(all);
  await Promise.all(readers.map(async (reader) => expect((await reader.rest()).at(-1)?.event).toBe('end')));
  console.info(`the end of a job at a thousand clients: ${Math.round(performance.now() - began)} ms`);
  gone.abort();
  for (const ws of sockets.slice(0, 250)) ws.close();
  for (const ws of sockets.slice(250)) ws.terminate();
  await until(async () => (await openStreams(metrics)) === 0, { message: 'all streams to be released' });
});

/** Resident kilobytes. */
function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** `n` of them, ten at a time. */
async function inTens<T>(n: number, make: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let left = n; left > 0; left -= 10) all.push(...(await Promise.all(Array.from({ length: 10 }, make))));
  return all;
}
