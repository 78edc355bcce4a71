// Whole files in place of a patch, and parts of files that look like one: as code-attacks.test.ts.
import { says } from '#core/model/memory.ts';
import { code, done, fenced, file, testAttacks } from '../../helpers/workers/code-attacks.ts';

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
  'another text in place of all of it': { turn: file('1\n2\n3\n4\n'), ends: '1\n2\n3\n4\n' },
  'a file without its first line': { turn: file(code.slice(4)), ends: code.slice(4) },
  'a file that leaves code out': {
    turn: file('one\nTWO\n// ... rest of the code stays the same\n'),
    ends: /leaves code out/,
  },
  'a file that leaves code out in other words': { turn: file('ONE\n# existing code\nsix\n'), ends: /leaves code out/ },
  'a file with words before it': { turn: says(`Here it is:\n${done}`), ends: /there is no patch/ },
  'a file with words behind it': { turn: says(`${done}\nDone!`), ends: /there is no patch/ },
});
