// Whole files in place of a patch, and parts of files that look like one: as code-attacks.test.ts.
import { says } from '#core/model/memory.ts';
import { code, done, fenced, file, testAttacks } from '../../helpers/workers/code-attacks.ts';

const protocol = 'from typing import Protocol\n\n\nclass P(Protocol):\n';
const functions = Array.from({ length: 30 }, (_, i) => `function f${i}() {\n  return ${i};\n}\n`).join('');

testAttacks({
  'a part of the file': { turn: fenced('three\nfour\n', 'ts'), ends: /part of the file alone/ },
  'the end of the file': { turn: fenced('two\nthree\nfour\nfive\nSIX\n', 'ts'), ends: /part of the file alone/ },
  'a part of the file that is said to be all of it': {
    turn: file('function f7() {\n  return 77;\n}\n'),
    ...{ code: functions, ends: /part of the file alone/ },
  },
  'the end of a file that is said to be all of it': {
    turn: file(functions.slice(functions.indexOf('function f20'))),
    ...{ code: functions, ends: /part of the file alone/ },
  },
  'a command in place of a file of one line': {
    turn: says('You need a package first:\n```sh\nnpm install zod\n```\n'),
    ...{ code: 'export const a = 1;\n', ends: /part of the file alone/ },
  },
  'a file of one line': {
    turn: fenced('/** Adds. */\nexport const sum = (x, y) => x + y;\n', 'ts'),
    code: 'export const sum = (a, b) => a - b;\n',
    ends: '/** Adds. */\nexport const sum = (x, y) => x + y;\n',
  },
  'another text in place of all of it': { turn: file('1\n2\n3\n4\n'), ends: '1\n2\n3\n4\n' },
  'a file without its first line': { turn: file(code.slice(4)), ends: code.slice(4) },
  'a file that leaves code out': {
    turn: file('one\nTWO\n// ... rest of the code stays the same\n'),
    ends: /leaves code out/,
  },
  'a file that leaves code out in other words': { turn: file('ONE\n# existing code\nsix\n'), ends: /leaves code out/ },
  'a file of Python with new bodies that are dots': {
    turn: file(
      `${protocol}    def f(self) -> int:\n        ...\n\n    def g(self) -> int:\n        '''Sure.'''\n        ...\n`,
    ),
    ...{ at: 'src/p.py', code: `${protocol}    def f(self) -> int: pass\n` },
    ends: `${protocol}    def f(self) -> int:\n        ...\n\n    def g(self) -> int:\n        '''Sure.'''\n        ...\n`,
  },
  'a file of Python with dots in place of pass': {
    turn: file(`${protocol}    def f(self) -> int:\n        ...\n`),
    ...{ at: 'src/p.pyi', code: `${protocol}    def f(self) -> int:\n        pass\n` },
    ends: `${protocol}    def f(self) -> int:\n        ...\n`,
  },
  'a file of Python that leaves a body out': {
    turn: file('def f(a):\n    return a + 1\n\n\ndef g(a):\n    ...\n\n\ndef h(a):\n    return a\n'),
    at: 'src/p.py',
    code: 'def f(a):\n    return a\n\n\ndef g(a):\n    return 2 * a\n\n\ndef h(a):\n    return a\n',
    ends: /"\s+\.\.\." leaves code out/,
  },
  'a file of Python that leaves a body out behind another head': {
    turn: file('def f(a):\n    return a\n\n\ndef g(a, b):\n    ...\n\n\ndef h(a):\n    return a\n'),
    at: 'src/p.py',
    code: 'def f(a):\n    return a\n\n\ndef g(a):\n    return 2 * a\n\n\ndef h(a):\n    return a\n',
    ends: /"\s+\.\.\." leaves code out/,
  },
  'a file of Python with a new body that is dots, and another change': {
    turn: file('def f(a):\n    return a + 1\n\n\nclass P(Protocol):\n    def g(self) -> int:\n        ...\n'),
    ...{ at: 'src/p.py', code: 'def f(a):\n    return a\n' },
    ends: 'def f(a):\n    return a + 1\n\n\nclass P(Protocol):\n    def g(self) -> int:\n        ...\n',
  },
  'a file of Python that leaves its end out': {
    turn: file(`${protocol}    def f(self) -> str:\n        return ''\n\n...\n`),
    ...{ at: 'src/p.py', code: `${protocol}    def f(self) -> int:\n        return 1\n` },
    ends: /"\.\.\." leaves code out/,
  },
  'a file with dots that is no Python': {
    turn: file(code.replace('two', 'if (x):\n...')),
    ends: /"\.\.\." leaves code out/,
  },
  'a file with words before it': { turn: says(`Here it is:\n${done}`), ends: /there is no patch/ },
  'a file with words behind it': { turn: says(`${done}\nDone!`), ends: /there is no patch/ },
});
