// Rule 5: one NATS transport per process, and no Node in the bundle of a function. Followed along the imports that survive to
// run time. A function's own part is its app.ts, which every entry of it starts from: it must run in workerd, whatever starts it.
// That no connection outlives a Worker request cannot be read from imports.

import { expect, test } from 'vitest';
import { isNodeFile, NATS_TCP, NATS_WS, NODE_PACKAGES } from './layout.ts';
import { sequence } from './source/imports.ts';
import { packageName, planted, projectTree, reachable, type Rule, type Tree } from './source/tree.ts';

const functionRoots = (tree: Tree): string[] =>
  [...tree.keys()].filter((path) => /^functions\/[^/]+\/(app|worker)\.ts$/.test(path));

const functionBundles: Rule = (tree) =>
  functionRoots(tree).flatMap((entry) =>
    [...reachable(tree, entry)]
      .filter(([target]) => target.startsWith('node:') || isNodeFile(target) || NODE_PACKAGES.has(packageName(target)))
      .map(([, way]) => `Node in a function: ${way.join(' -> ')}`),
  );

const transports: Rule = (tree) =>
  [...tree.keys()].filter(isProcess).flatMap((entry) => {
    const ways = [...reachable(tree, entry)];
    const tcp = ways.find(([target]) => NATS_TCP.has(packageName(target)));
    const ws = ways.find(
      ([target]) => NATS_WS.has(target) || NATS_WS.has(packageName(target)) || callsWs(tree, target),
    );
    return tcp && ws ? [`both NATS transports: ${tcp[1].join(' -> ')} and ${ws[1].join(' -> ')}`] : [];
  });

/** Node's own client has a WebSocket door as well. */
function callsWs(tree: Tree, path: string): boolean {
  return sequence(tree.get(path)?.tokens ?? [], 'wsconnect').length > 0;
}

/** A Node entry of the product, or anything of local/ that may be started by itself. */
function isProcess(path: string): boolean {
  return /^(functions|services)\/[^/]+\/node\.ts$|^local\/.*\.ts$/.test(path);
}

const tree = projectTree();

test('no function reaches Node', () => {
  expect(functionRoots(tree)).toEqual(expect.arrayContaining(['functions/gateway/app.ts', 'functions/safety/app.ts']));
  expect(functionBundles(tree)).toEqual([]);
});

/** The tables of the tokenizer are megabytes, which no function is to read. */
const tables: Rule = (tree) =>
  functionRoots(tree).flatMap((entry) =>
    [...reachable(tree, entry)]
      .filter(([target]) => packageName(target) === 'gpt-tokenizer')
      .map(([, way]) => `tables of tokens in a function: ${way.join(' -> ')}`),
  );

test('no function reads the tables of the tokenizer', () => {
  expect(tables(tree)).toEqual([]);
  expect(tables(deep("const load = () => import('gpt-tokenizer/bpeRanks/o200k_base');"))).toEqual([
    expect.stringContaining('core/planted/b.ts'),
  ]);
});

test('no process holds both NATS transports', () => {
  expect(transports(tree)).toEqual([]);
});

const deep = (text: string): Tree =>
  planted(new Map(), {
    'functions/planted/app.ts': "import { a } from '#core/planted/a.ts'; import type { T } from 'node:net';",
    'core/planted/a.ts': "export * from './b.ts';",
    'core/planted/b.ts': text,
  });

test.each([
  ["import 'node:fs';", 'node:fs'],
  ["import { readFile } from 'fs/promises';", 'node:fs/promises'],
  ["import { Redis } from 'ioredis';", 'ioredis'],
  ["import client from 'prom-client';", 'prom-client'],
  ["const nats = await import('@nats-io/transport-node');", '@nats-io/transport-node'],
  ["import { run } from '#core/process/run.node.ts';", 'core/process/run.node.ts'],
])('notices deep under a function: %s', (text, target) => {
  expect(functionBundles(deep(text))).toContain(
    `Node in a function: functions/planted/app.ts -> core/planted/a.ts -> core/planted/b.ts -> ${target}`,
  );
});

test('ignores imports that are erased before running', () => {
  expect(functionBundles(deep("import type { Redis } from 'ioredis'; export type * from 'node:fs';"))).toEqual([]);
});

test.each([
  "import { connect } from 'nats.ws';",
  "import { ws } from '#core/bus/nats-ws.ts';",
  "import { wsconnect } from '@nats-io/nats-core';",
])('notices a second transport beside TCP: %s', (text) => {
  const both = {
    'core/bus/planted-tcp.node.ts': "import { connect } from '@nats-io/transport-node';",
    'core/bus/planted-ws.ts': text,
    'core/bus/nats-ws.ts': "import 'nats.ws';",
    'services/planted/node.ts': "import '#core/bus/planted-tcp.node.ts'; import './more.ts';",
    'services/planted/more.ts': "import '#core/bus/planted-ws.ts';",
  };
  expect(transports(planted(new Map(), both))).toEqual([
    expect.stringMatching('^both NATS transports: services/planted/node'),
  ]);
  expect(transports(planted(new Map(), { ...both, 'services/planted/more.ts': '' }))).toEqual([]);
});
