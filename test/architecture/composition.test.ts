// Rule 4: drivers are chosen in entries. Only `worker.ts`, `node.ts`, local/ and test/ import one; nobody passes one on.
// A driver that is written in several files may import its siblings.

import { dirname } from 'node:path/posix';
import { expect, test } from 'vitest';
import { isDriver, mayCompose } from './layout.ts';
import { planted, projectTree, type Rule } from './source/tree.ts';

const composition: Rule = (tree) =>
  [...tree.values()].flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => isDriver(target))
      .flatMap(({ target, line, reexport }) => {
        if (isDriver(path) && path.startsWith(`${dirname(target)}/`)) return [];
        if (reexport) return [`${path}:${line}: passes the driver ${target} on`];
        return mayCompose(path) ? [] : [`${path}:${line}: imports the driver ${target}, but is no entry`];
      }),
  );

const tree = projectTree();

test('drivers are imported by entries alone, and never passed on', () => {
  expect(composition(tree)).toEqual([]);
});

test.each([
  'core/bus/memory.ts',
  'core/bus/nats-tcp.node.ts',
  'core/bus/nats-ws.ts',
  'core/jobs/memory-store.ts',
  'core/jobs/redis-store.ts',
  'core/redis/ioredis.node.ts',
  'core/redis/upstash.ts',
  'core/metrics/prom.node.ts',
  'core/metrics/noop.ts',
  'core/policy/rpc-checker.ts',
  'core/payloads/redis-store.ts',
  'core/model/ollama.ts',
])('knows %s as a driver and notices who may not import it', (driver) => {
  expect(isDriver(driver)).toBe(true);
  for (const path of [
    'services/scheduler/engine.ts',
    'functions/gateway/app.ts',
    'core/http/x.ts',
    'core/protocol/x.ts',
  ]) {
    for (const text of [`import { a } from '#${driver}';`, `import type { A } from '#${driver}';`]) {
      expect(composition(planted(new Map(), { [path]: text })), path).toHaveLength(1);
    }
  }
  for (const path of ['services/scheduler/node.ts', 'functions/gateway/worker.ts', 'local/cli/main.ts', 'test/x.ts']) {
    expect(composition(planted(new Map(), { [path]: `import { a } from '#${driver}';` })), path).toEqual([]);
    expect(composition(planted(new Map(), { [path]: `export * from '#${driver}';` })), path).toHaveLength(1);
  }
});

test('tells drivers from ports and from shared Node code', () => {
  for (const path of ['core/bus/bus.ts', 'core/jobs/store.ts', 'core/redis/redis.ts', 'core/model/model.ts']) {
    expect(isDriver(path), path).toBe(false);
  }
  expect(isDriver('core/process/run.node.ts')).toBe(false);
  expect(isDriver('core/http/serve.node.ts')).toBe(false);
});

test('lets a driver import its port and its siblings, but no other driver', () => {
  const offences = composition(
    planted(new Map(), {
      'core/jobs/redis-store.ts':
        "import './store.ts'; export * from './redis-scripts.ts'; import '#core/redis/ioredis.node.ts';",
      'core/jobs/index.ts': "export * from './redis-store.ts';",
    }),
  );
  expect(offences).toEqual([
    'core/jobs/redis-store.ts:1: imports the driver core/redis/ioredis.node.ts, but is no entry',
    'core/jobs/index.ts:1: passes the driver core/jobs/redis-store.ts on',
  ]);
});
