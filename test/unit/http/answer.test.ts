// Every answer carries what it must, whoever made it.
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { answer, answers } from '../../../functions/http/answer.ts';
import type { AppEnv } from '../../../functions/http/route.ts';

const app = new Hono<AppEnv>();
app.use(answers({ random: () => 'fresh' }));
app.get('/ours', (c) => answer(c, { a: 1 }));
app.get('/more', (c) => answer(c, [], 202, { location: '/x', 'x-more': '1' }));
app.get('/theirs', () => new Response('x', { headers: { 'cache-control': 'max-age=5', 'x-more': '2' } }));
app.get('/thrown', () => {
  throw new Error('no');
});
app.onError(() => new Response(null, { status: 500 }));
app.notFound(() => new Response(null, { status: 404 }));

test.each([
  ['/ours', 200, { 'content-type': 'application/json' }, '{"a":1}'],
  ['/more', 202, { 'content-type': 'application/json', location: '/x', 'x-more': '1' }, '[]'],
  ['/theirs', 200, { 'content-type': 'text/plain;charset=UTF-8', 'x-more': '2' }, 'x'],
  ['/thrown', 500, {}, ''],
  ['/nowhere', 404, {}, ''],
])('%s', async (path, status, own, body) => {
  const response = await app.request(path, { headers: { 'X-Request-Id': 'mine' } });
  expect(response.status).toBe(status);
  expect(Object.fromEntries(response.headers)).toEqual({
    ...{ 'x-request-id': 'mine', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' },
    ...own,
  });
  expect(await response.text()).toBe(body);
});

test('a request without an id of its own gets one', async () => {
  for (const path of ['/ours', '/theirs']) expect((await app.request(path)).headers.get('x-request-id')).toBe('fresh');
});
