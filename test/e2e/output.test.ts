// Text of jobs from the handler to a client, on real processes: over two gateways, through the death of a worker and of a gateway, to
// clients that break off, that come late and that do not read.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { piecesOf } from '../helpers/e2e/talk.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import { createRandom } from '../helpers/random.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';
import { readSse, type SseEvent } from '../http/sse.ts';

let system: System;
let second: ServiceProcess;
let worker: ServiceProcess | undefined;

beforeAll(async () => {
  system = await startSystem();
  const anywhere = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0', LOG_LEVEL: 'warn' };
  const env = { NATS_URL: system.nats.url, REDIS_URL: system.redis.url, ...anywhere };
  second = await startService('functions/gateway/node.ts', env, ['http', 'metrics']);
}, 60_000);
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});
afterAll(async () => {
  await second.stop();
  await system.stop();
}, 60_000);

const gateways = (): readonly string[] => [system.gateway.process.urls['http'] ?? '', second.urls['http'] ?? ''];
const talk = async (id = 'talk'): Promise<void> => {
  worker = await system.worker('job.test.talk', id, 4);
};
const open = (base: string, id: string, lastId = ''): Promise<Response> =>
  fetch(`${base}/api/v1/jobs/${id}/events`, lastId === '' ? {} : { headers: { 'Last-Event-ID': lastId } });

/** Puts together what a client hears; throws where a piece does not follow the one before. */
function ear() {
  const heard = { text: '', attempts: [] as number[], steps: [] as string[], lates: [] as number[], ended: false };
  const take = ({ event, data }: SseEvent): void => {
    if (event === 'output') {
      const offset = Number(data['offset']);
      const attempt = Number(data['attempt']);
      if (offset === 0) {
        heard.text = '';
        heard.attempts.push(attempt);
      } else expect([offset, attempt]).toEqual([heard.text.length, heard.attempts.at(-1)]);
      heard.text += String(data['text']);
      const now = Date.now();
      for (const [time] of String(data['text']).matchAll(/^\d{13}$/gm)) heard.lates.push(now - Number(time));
    } else if (event === 'state' || event === 'end') heard.steps.push(String(data['state']));
    if (event === 'end') heard.ended = true;
  };
  return { heard, take };
}

test('many small pieces to clients that break off anywhere and go on at the other gateway', {
  timeout: 60_000,
}, async () => {
  const whole = piecesOf('words').join('').toWellFormed();
  const id = await system.submit('job.test.talk', 'words');
  const client = async (seed: number) => {
    const random = createRandom(seed);
    const { heard, take } = ear();
    for (let lastId = '', turns = 0; !heard.ended; turns++) {
      const reader = readSse(await open(gateways()[(seed + turns) % 2] ?? '', id, lastId));
      // The first steps have no id up to the last of them: to break off there is to begin anew.
      for (let most = turns === 0 ? 2 : random.below(5); most >= 0 && !heard.ended; most--) {
        const event = await reader.next();
        if (event === undefined) break;
        take(event);
        if (reader.lastId === '') most++;
        ({ lastId } = reader);
      }
      await reader.cancel();
    }
    return heard;
  };
  const clients = Array.from({ length: 4 }, (_, i) => client(i + 1));
  await talk();
  for (const heard of await Promise.all(clients)) {
    expect(heard.text === whole).toBe(true);
    expect(heard.attempts).toEqual([1]);
    expect(heard.steps).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
  }
  // Who comes after the end hears the same.
  const { heard, take } = ear();
  for (const event of await readSse(await open(gateways()[1] ?? '', id)).rest()) take(event);
  expect(heard.text === whole).toBe(true);
});

test('text arrives as it is made', { timeout: 60_000 }, async () => {
  await talk();
  const id = await system.submit('job.test.talk', 'times');
  const { heard, take } = ear();
  for (const event of await readSse(await open(gateways()[1] ?? '', id)).rest()) take(event);
  expect(heard.lates).toHaveLength(40);
  const median = heard.lates.toSorted((a, b) => a - b)[20] ?? 0;
  const worst = Math.max(...heard.lates);
  console.info(`from handler to client: ${median} ms in the middle, ${worst} ms at most`);
  // Without news it would take up to two seconds.
  expect(median).toBeLessThan(500);
});

test('a worker killed in the midst: the next attempt begins the text anew', { timeout: 60_000 }, async () => {
  await talk('first');
  const whole = piecesOf('words').join('').toWellFormed();
  const id = await system.submit('job.test.talk', 'words, hold');
  const { heard, take } = ear();
  const following = (async () => {
    for (const reader = readSse(await open(gateways()[0] ?? '', id)); !heard.ended; )
      take((await reader.next()) as SseEvent);
  })();
  await until(() => heard.text.length > 0.4 * whole.length, { message: 'the middle' });
  await worker?.kill();
  worker = undefined;
  await system.db.set(gateKey(id), '1');
  await talk('second');
  await following;
  expect(heard.text === whole).toBe(true);
  expect(heard.attempts).toEqual([1, 2]);
  expect(heard.steps.at(-1)).toBe('SUCCEEDED');
});

test('a client that does not read loses nothing, and costs the others nothing', { timeout: 60_000 }, async () => {
  const whole = piecesOf('large').join('');
  const id = await system.submit('job.test.talk', 'large');
  const slow = await open(gateways()[0] ?? '', id);
  await talk();
  const { heard, take } = ear();
  for (const event of await readSse(await open(gateways()[0] ?? '', id)).rest()) take(event);
  expect(heard.text === whole).toBe(true);
  const late = ear();
  for (const event of await readSse(slow).rest()) late.take(event);
  expect(late.heard.text === whole).toBe(true);
});

test('of a job without output nothing is kept', { timeout: 60_000 }, async () => {
  worker = await system.worker('job.test.quick', 'quick', 4);
  const id = await system.submit('job.test.quick');
  const events = await readSse(await open(gateways()[0] ?? '', id)).rest();
  expect(events.map(({ event }) => event)).not.toContain('output');
  expect(await system.db.get(`out:${id}`)).toBeNull();
});
