// Rule 3: a name says where a file runs. `*.node.ts` and `node.ts` may use Node; everything else in core/ and functions/ runs
// anywhere. The compiler checks this too (types: []); this test also sees what a library's own types drag in.

import { expect, test } from 'vitest';
import { isNodeFile, NODE_PACKAGES, runsAnywhere } from './layout.ts';
import { usesOf } from './source/imports.ts';
import { packageName, planted, projectTree, type ResolvedImport, type Rule } from './source/tree.ts';

const NODE_WORDS = ['process', 'Buffer', '__dirname', '__filename', 'require', 'global', 'setImmediate'];

const runtime: Rule = (tree) =>
  [...tree.values()]
    .filter(({ path }) => runsAnywhere(path))
    .flatMap(({ path, imports, tokens }) => [
      ...imports.filter(needsNode).map((i) => `${path}:${i.line}: imports ${i.target}, which needs Node`),
      ...NODE_WORDS.flatMap((word) => usesOf(tokens, word).map((line) => `${path}:${line}: uses ${word} of Node`)),
    ]);

function needsNode({ target, to }: ResolvedImport): boolean {
  return to === 'node' || isNodeFile(target) || (to === 'package' && NODE_PACKAGES.has(packageName(target)));
}

const tree = projectTree();

test('files without the suffix run anywhere', () => {
  expect(runtime(tree)).toEqual([]);
  expect([...tree.keys()].filter(runsAnywhere)).toContain('core/log.ts');
});

test.each([
  "import { readFile } from 'node:fs/promises';",
  "import type { Socket } from 'net';",
  "import { Redis } from 'ioredis';",
  "import type { NatsConnection } from '@nats-io/transport-node/lib/mod.js';",
  "export * from '#core/redis/ioredis.node.ts';",
  "import type { Life } from '#core/process/run.node.ts';",
  "await import('../bus/nats-tcp.node.ts');",
  'process.exit(1);',
  "export const a = Buffer.from('a');",
  "export const a = require('fs');",
  'setImmediate(run);',
])('notices in a file that runs anywhere: %s', (text) => {
  for (const path of ['core/jobs/planted.ts', 'functions/gateway/app.ts', 'functions/gateway/worker.ts']) {
    expect(runtime(planted(new Map(), { [path]: text }))).toEqual([expect.stringMatching(`^${path}:1: `)]);
  }
  for (const path of ['core/jobs/planted.node.ts', 'functions/gateway/node.ts', 'services/worker/host.ts']) {
    expect(runtime(planted(new Map(), { [path]: text }))).toEqual([]);
  }
});
