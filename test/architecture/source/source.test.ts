import { expect, test } from 'vitest';
import { importsOf, sequence, usesOf } from './imports.ts';
import { tokenize } from './tokens.ts';
import { planted, projectTree, reachable } from './tree.ts';

const imports = (text: string): string[] =>
  importsOf(tokenize(text)).map(
    (i) => `${i.line} ${i.specifier}${i.typeOnly ? ' type' : ''}${i.reexport ? ' out' : ''}`,
  );

test('finds every kind of import with its line', () => {
  const text = `#!/usr/bin/env node
import 'side';
import one from "one";
import * as two from 'two';
import three, { four as five,
  type Six } from 'three';
import type { Seven } from 'seven';
import type Eight from 'eight';
import type, { nine } from 'nine';
import json from './data.json' with { type: 'json' };
export { ten } from 'ten';
export * from 'eleven';
export * as twelve from 'twelve';
export type { Thirteen } from 'thirteen';
const late = await import('fourteen');
const later = await import(\`fifteen\`);
const data = await import('sixteen', { with: { type: 'json' } });
await import(computed);
type Seventeen = import('seventeen').Seventeen;
`;
  expect(imports(text)).toEqual([
    '2 side',
    '3 one',
    '4 two',
    '5 three',
    '7 seven type',
    '8 eight type',
    '9 nine',
    '10 ./data.json',
    '11 ten out',
    '12 eleven out',
    '13 twelve out',
    '14 thirteen type out',
    '15 fourteen',
    '16 fifteen',
    '17 sixteen',
    '18 (computed)',
    '19 seventeen',
  ]);
});

test('is not taken in by what only looks like an import', () => {
  const text = `// import 'a';
/* export * from 'b'; */
const s = "import 'c'", t = \`import 'd' \${x} export * from 'e'\`;
const r = /import 'f'/g, q = 1 / 2; // import 'g'
export { local };
export const from = 'h';
export type K = { from: 'i' };
export default from;
import.meta.url;
loader.import('j');
const o = { import: 'k', export: 'l' };
`;
  expect(imports(text)).toEqual([]);
});

test('looks inside template holes, also nested ones', () => {
  const tokens = tokenize('const s = `a ${ { b: `c ${Date.now()} d` } } e ${fetch}`; crypto;');
  expect(sequence(tokens, 'Date', '.', 'now')).toEqual([1]);
  expect(usesOf(tokens, 'fetch')).toEqual([1]);
  expect(usesOf(tokens, 'crypto')).toEqual([1]);
  expect(usesOf(tokens, 'd')).toEqual([]);
});

test('tells a free word from a member, a key and prose', () => {
  const text = `// process
const a = x.process + 'process' + { process: 1 }.process;
const b = [...process];
const c = flag ? process : 1;
interface D { process?: 1; }
`;
  expect(usesOf(tokenize(text), 'process')).toEqual([3, 4]);
});

test('refuses text in which it lost its way', () => {
  expect(() => tokenize("const a = 'open\n")).toThrow('line 1: string without end');
  expect(() => tokenize('const a = `open ${b')).toThrow('template without end');
  expect(() => tokenize('\n/* open')).toThrow('line 2: comment without end');
});

test('walks imports that survive to run time, by every spelling of a path', () => {
  const tree = planted(new Map(), {
    'services/a/node.ts': "import { b } from './b.ts'; import type { T } from './types.ts';",
    'services/a/b.ts': "import '#core/c.ts'; import '#proto/x/y_pb.ts'; import 'fs'; import 'zod/v4';",
    'core/c.ts': "import '../services/a/node.ts';",
    'services/a/types.ts': "import 'never';",
  });
  const ways = reachable(tree, 'services/a/node.ts');
  expect([...ways.keys()]).toEqual([
    'services/a/node.ts',
    'services/a/b.ts',
    'core/c.ts',
    'proto/gen/x/y_pb.ts',
    'node:fs',
    'zod/v4',
  ]);
  expect(ways.get('node:fs')).toEqual(['services/a/node.ts', 'services/a/b.ts', 'node:fs']);
});

test('sees this project', () => {
  const tree = projectTree();
  expect(tree.get('core/errors.ts')?.lines).toBeGreaterThan(20);
  expect(tree.get('test/architecture/source/source.test.ts')?.imports.map((i) => i.target)).toContain(
    'test/architecture/source/tree.ts',
  );
  expect([...tree.keys()].some((path) => path.startsWith('proto/gen/'))).toBe(true);
});
