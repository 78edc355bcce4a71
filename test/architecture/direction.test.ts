// Rule 1: the arrow points inward. functions -> core <- services, and nobody points at local or test.

import { expect, test } from 'vitest';
import { mayLoadAnything } from './layout.ts';
import { planted, projectTree, type Rule } from './source/tree.ts';

/** For each top folder, the folders of ours that its files may import, types included. */
const ALLOWED: Record<string, readonly string[]> = {
  proto: ['proto'],
  core: ['core', 'proto'],
  functions: ['functions', 'core', 'proto'],
  services: ['services', 'core', 'proto'],
  local: ['local', 'services', 'functions', 'core', 'proto'],
  test: ['test', 'local', 'services', 'functions', 'core', 'proto'],
};

const direction: Rule = (tree) =>
  [...tree.values()].flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, target, to, line }) => {
      if (specifier === '(computed)' && !mayLoadAnything(path)) return [`${path}:${line}: computed import`];
      if (to !== 'file') return [];
      const from = top(path);
      const into = top(target);
      if (!ALLOWED[from]?.includes(into)) return [`${path}:${line}: ${from} imports ${into} (${target})`];
      const door = into === 'core' || into === 'proto' ? `#${into}/` : undefined;
      const outside = from !== into && door !== undefined && !specifier.startsWith(door);
      return outside ? [`${path}:${line}: ${target} is reached as ${door}... only`] : [];
    }),
  );

const top = (path: string): string => path.split('/', 1)[0] ?? '';

const tree = projectTree();

test('every import points inward', () => {
  expect(direction(tree)).toEqual([]);
});

test.each([
  ['core/x.ts', "import { a } from '../services/worker/host.ts';", 'core imports services'],
  ['core/x.ts', "import type { A } from '../functions/gateway/app.ts';", 'core imports functions'],
  ['functions/gateway/x.ts', "export * from '../../services/worker/define.ts';", 'functions imports services'],
  ['services/worker/x.ts', "await import('../../functions/safety/app.ts');", 'services imports functions'],
  ['services/worker/x.ts', "import { a } from '../../local/services.ts';", 'services imports local'],
  ['local/x.ts', "import { a } from '../test/helpers/until.ts';", 'local imports test'],
  ['services/worker/x.ts', "import { a } from '../../core/errors.ts';", 'is reached as #core/... only'],
  ['core/x.ts', "import { a } from '../proto/gen/cortex/v1/gateway_pb.ts';", 'is reached as #proto/... only'],
  ['core/x.ts', "import { a } from '#core/../services/worker/host.ts';", 'core imports services'],
  ['core/x.ts', 'await import(name);', 'computed import'],
])('notices %s with %s', (path, text, offence) => {
  expect(direction(planted(new Map(), { [path]: text })).join()).toContain(offence);
});

test('accepts the imports that the rule is there to allow', () => {
  const good = {
    'core/bus/x.ts':
      "import '../errors.ts'; import '#core/result.ts'; import '#proto/cortex/v1/gateway_pb.ts'; import 'zod';",
    'functions/gateway/x.ts': "import './app.ts'; import '../http/auth.ts'; import '#core/errors.ts';",
    'services/orchestrator/x.ts': "import '../worker/define.ts';",
    'test/e2e/x.test.ts': "import '../../services/worker/node.ts'; import '../../local/services.ts';",
  };
  expect(direction(planted(new Map(), good))).toEqual([]);
});
