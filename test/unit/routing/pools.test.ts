// config/pools.yaml: what is read, and every slip with the name of its field.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { unwrap } from '#core/result.ts';
import { parsePools } from '#core/routing/pools.ts';

const read = (yaml: string) => parsePools(parse(yaml));

test('the shipped file has the topics of the original, and bus tenants are default alone', () => {
  const pools = read(readFileSync('config/pools.yaml', 'utf8'));
  if (!pools.ok) throw new Error(pools.error.join());
  expect(pools.value.topics.size).toBe(13);
  expect(pools.value.topics.get('job.chat.simple')).toBe('chat-simple');
  expect(pools.value.busTenants).toEqual(new Set(['default']));
  expect(pools.value.silentCapacity.size).toBe(0);
});

test('everything that may be said is read', () => {
  const pools = read(
    `topics: {job.a: p, job.b.c: p, job.d: q}\nsilent_capacity: {p: 3}\nbus: {tenants: [acme, default]}`,
  );
  expect(pools).toEqual({
    ok: true,
    value: {
      topics: new Map([
        ['job.a', 'p'],
        ['job.b.c', 'p'],
        ['job.d', 'q'],
      ]),
      silentCapacity: new Map([['p', 3]]),
      busTenants: new Set(['acme', 'default']),
    },
  });
});

test.each(['topics: {job.a: p}', 'topics: {job.a: p}\nbus:', 'topics: {job.a: p}\nsilent_capacity:\nbus: {}'])(
  'what is left out has its default: %j',
  (yaml) => {
    const pools = read(yaml);
    if (!pools.ok) throw new Error(pools.error.join());
    expect(pools.value.busTenants).toEqual(new Set(['default']));
  },
);

test('nobody may be trusted on the open subject', () => {
  const pools = read('topics: {job.a: p}\nbus: {tenants: []}');
  expect(pools.ok && pools.value.busTenants.size).toBe(0);
});

test.each([
  ['', /must be an object/],
  ['[1, 2]', /must be an object/],
  ['topic: {job.a: p}', /^topics: /],
  ['topics:', /^topics: /],
  ['topics: {}', /^topics: must name at least one topic/],
  ['topics: {sys.a: p}', /^topics\.sys\.a: has a wrong name: must be a topic/],
  ['topics: {"job.*": p}', /^topics\.job\.\*: has a wrong name: must be a topic/],
  ['topics: {"": p}', /^topics\.?: has a wrong name: must be a topic/],
  ['topics: {"job.a|d": p}', /^topics\.job\.a\|d: has a wrong name: must be without/],
  ['topics: {"job.a:0": p}', /^topics\.job\.a:0: has a wrong name: must be without/],
  ['topics: {job.a: ""}', /^topics\.job\.a: must be 1 to 128/],
  ['topics: {job.a: "a b"}', /^topics\.job\.a: must be 1 to 128/],
  ['topics: {job.a: 7}', /^topics\.job\.a: /],
  ['topics: {job.a: p}\nsilent_capacity: {p: 0}', /^silent_capacity\.p: /],
  ['topics: {job.a: p}\nsilent_capacity: {p: 1.5}', /^silent_capacity\.p: /],
  ['topics: {job.a: p}\nsilent_capacity: {q: 1}', /^silent_capacity\.q: no topic has this pool/],
  ['topics: {job.a: p}\nbus: {tenants: default}', /^bus\.tenants: /],
  ['topics: {job.a: p}\nbus: {tenants: ["a.*"]}', /^bus\.tenants\[0\]: /],
  ['topics: {job.a: p}\nbus: {tenant: [a]}', /^bus\.tenant: is not a known field/],
  ['topics: {job.a: p}\npools: {}', /pools/],
])('%j is refused', (yaml, problem) => {
  const pools = read(yaml);
  expect(pools.ok).toBe(false);
  if (!pools.ok) expect(pools.error.join('\n')).toMatch(problem);
});

test('all problems are told at once', () => {
  const pools = read('topics: {x: p, job.a: ""}\nsilent_capacity: {p: 0}\nextra: 1');
  expect(pools.ok ? [] : pools.error).toHaveLength(4);
  expect(() => unwrap(pools.ok ? pools : { ok: false, error: new Error(pools.error.join()) })).toThrow(/extra/);
});
