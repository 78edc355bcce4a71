// Every grammar tells definitions and imports of its language, and none of them hangs on what is no program.
import { beforeAll, expect, test } from 'vitest';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import { languageOf } from '#core/context/repo/languages.ts';
import type { Outliner } from '#core/context/repo/outline.ts';

let outliner: Outliner;
beforeAll(async () => {
  outliner = await loadOutliner();
});

test.each([
  [
    'a.ts',
    'import { a } from "./b.ts";\nexport interface I { x: 1 }\nexport class C<T> {\n  go(): void {}\n}\nexport const k = 1;\nenum E { A }',
    'interface I 1-1, class C 2-4, method go 3-3, constant k 5-5, type E 6-6',
    './b.ts',
  ],
  ['a.tsx', 'export function View() {\n  return <p>hi</p>;\n}\n', 'function View 0-2', ''],
  [
    'a.cjs',
    "const x = require('./x');\nexports.run = function () {};\nfunction* gen() {}\nexport * from 'y';\n",
    'constant x 0-0, function run 1-1, function gen 2-2',
    './x y',
  ],
  [
    'a.py',
    'import os.path\nfrom .b import c\nclass A:\n    def go(self):\n        pass\nX = 1\n',
    'class A 2-4, function go 3-4, constant X 5-5',
    'os.path .b',
  ],
  [
    'a.go',
    'package a\nimport "net/http"\ntype T struct{}\nfunc (t T) Go() {}\nfunc Run() {}\nconst K = 1\n',
    'type T 2-2, method Go 3-3, function Run 4-4, constant K 5-5',
    'net/http',
  ],
  [
    'a.rs',
    'use crate::b::C;\nmod d;\nstruct S;\nimpl S {\n  fn go(&self) {}\n}\ntrait T {}\n',
    'module d 1-1, class S 2-2, class S 3-5, function go 4-4, interface T 6-6',
    'crate::b::C d',
  ],
  [
    'A.java',
    'import a.b.C;\nclass A {\n  void go() {}\n}\ninterface I {}\n',
    'class A 1-3, method go 2-2, interface I 4-4',
    'a.b.C',
  ],
  [
    'a.c',
    '#include "b.h"\n#define MAX 1\nint *run(int a) {\n  return 0;\n}\nstruct s { int a; };\n',
    'constant MAX 1-2, function run 2-4, class s 5-5',
    'b.h',
  ],
  [
    'a.cpp',
    '#include <vector>\nnamespace n {\nclass C {\n  void go() {}\n};\n}\nvoid C::out() {}\n',
    'module n 1-5, class C 2-4, function go 3-3, function C::out 6-6',
    'vector',
  ],
  [
    'a.rb',
    "require 'set'\nmodule M\n  class C\n    def go\n    end\n  end\nend\n",
    'module M 1-6, class C 2-5, method go 3-4',
    'set',
  ],
  [
    'a.php',
    '<?php\nuse A\\B;\nclass C {\n  function go() {}\n}\nfunction run() {}\n',
    'class C 2-4, method go 3-3, function run 5-5',
    'A\\B',
  ],
  [
    'a.cs',
    'using System.Text;\nclass C {\n  void Go() {}\n  int P { get; set; }\n}\n',
    'class C 1-4, method Go 2-2, method P 3-3',
    'System.Text',
  ],
  ['a.sh', 'go() {\n  echo hi\n}\n', 'function go 0-2', ''],
])('%s', (path, text, definitions, imports) => {
  const outline = outliner(languageOf(path), text);
  const told = outline?.definitions.map(({ kind, name, first, last }) => `${kind} ${name} ${first}-${last}`).join(', ');
  expect([told, outline?.imports.join(' ')]).toEqual([definitions, imports]);
});

test('a language without a grammar has no outline', () => {
  expect(outliner('text', 'a')).toBeUndefined();
  expect(outliner('constructor', 'a')).toBeUndefined();
});

test.each([
  ['typescript', '('],
  ['typescript', '<'],
  ['typescript', 'a?b:'],
  ['javascript', '`${'],
  ['python', 'if x:\n'],
  ['python', 'x = ['],
  ['cpp', 'a<'],
  ['rust', '#['],
  ['ruby', '<<A\n'],
  ['shell', '$('],
  ['php', '<?php {'],
  ['java', 'class A{'],
  ['csharp', '$"{'],
  ['go', 'func(){'],
])('%s: a hundred thousand times %s ends, and the next file is read', { timeout: 30_000 }, (language, text) => {
  outliner(language, text.repeat(100_000));
  expect(outliner('typescript', 'function a() {}\n')?.definitions).toHaveLength(1);
});
