// Answers that models give, or are made to give by what stands in the code, and that are not what was asked. Each ends in a patch that
// plain git applies to the file as it was, giving the text that is named, or in a failure with the reason that is named. Whole files, and
// what claims to be one, have a table of their own (code-whole-file.test.ts).
import { expect, test } from 'vitest';
import { says, type Turn } from '#core/model/memory.ts';
import { codeRig, submits } from '../../helpers/workers/code.ts';
import {
  type Attack,
  code,
  diff,
  done,
  fenced,
  file,
  good,
  head,
  path,
  testAttacks,
} from '../../helpers/workers/code-attacks.ts';

const verse = 'one\ntwo\nthree\nfour\nfive\n\nsix\n';
const loud = verse.replace('two', 'TWO');
const toFive = '@@ -1,5 +1,5 @@\n one\n-two\n+TWO\n three\n four\n five\n';
const shouted = `${head}${toFive}\n+ Now it is in capitals\n`;
/** Its counts end at the blank line. */
const forgetful = `${head}@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n\n`;
const pair = 'one\ntwo\nthree\n\nfive\nsix\n';
const twice = 'a\nb\nc\na\nb\nc\n';
const script = '# Use\n\n```js\none();\n```\n\nEnd\n';
const ofDiffs = 'x\n--- a/old\n+++ b/old\n@@ -1 +1 @@\n-- a/src/a.ts\ny\n';

const attacks: Readonly<Record<string, Attack>> = {
  // Other files.
  'a diff of another file': {
    turn: diff(`--- a/etc/passwd\n+++ b/etc/passwd\n${good}`),
    ends: /only "src\/a.ts" may change/,
  },
  'a diff of another file after ours': {
    turn: diff(`${head}${good}--- a/b.ts\n+++ b/b.ts\n${good}`),
    ends: /it is for "a\/b.ts"/,
  },
  'a diff of another file before ours': {
    turn: diff(`--- a/b.ts\n+++ b/b.ts\n${good}${head}${good}`),
    ends: /it is for "a\/b.ts"/,
  },
  'two blocks, one of another file': {
    turn: says(`\`\`\`diff\n${head}${good}\`\`\`\n\`\`\`diff\n--- a/b\n+++ b/b\n${good}\`\`\``),
    ends: /there are 2 blocks with a diff/,
  },
  'hunks of another file behind ours, without names': {
    turn: diff(`${head}${good}diff --git a/b.ts b/b.ts\n@@ -1 +1 @@\n-one\n+x\n`),
    ends: /it is for "a\/b.ts b\/b.ts"/,
  },
  'names that differ': { turn: diff(`--- a/${path}\n+++ b/other.ts\n${good}`), ends: /it is for "b\/other.ts"/ },
  'a name that climbs': {
    turn: diff(`--- a/../${path}\n+++ b/../${path}\n${good}`),
    ends: /only "src\/a.ts" may change/,
  },
  'an absolute name': { turn: diff(`--- /${path}\n+++ /${path}\n${good}`), ends: /only "src\/a.ts" may change/ },
  'the bare name of the file': { turn: diff(`--- a.ts\n+++ a.ts\n${good}`), ends: /only "src\/a.ts" may change/ },
  'a head of git for another file': {
    turn: diff(`diff --git a/b.ts b/b.ts\n${good}`),
    ends: /it is for "a\/b.ts b\/b.ts"/,
  },
  'another file in another dialect': {
    turn: diff(`*** Begin Patch\n*** Update File: b.ts\n${good}`),
    ends: /it is for "b.ts"/,
  },
  'a name in quotes and octal': { turn: diff(`--- "a/src/\\141.ts"\n+++ "b/src/\\141.ts"\n${good}`), ends: done },
  'a name in quotes that is no text': { turn: diff(`--- "a/\\377"\n+++ "b/\\377"\n${good}`), ends: /only "src\/a.ts"/ },

  // More than lines.
  'a removal': { turn: diff(`--- a/${path}\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n`), ends: /removes the file/ },
  'a removal by its mode': {
    turn: diff(`diff --git a/${path} b/${path}\ndeleted file mode 100644\n${head}${good}`),
    ends: /removes the file/,
  },
  'a removal in another dialect': { turn: diff(`*** Delete File: ${path}\n`), ends: /removes the file/ },
  'a mode': {
    turn: diff(`diff --git a/${path} b/${path}\nold mode 100644\nnew mode 100755\n${head}${good}`),
    ends: /changes the mode/,
  },
  'a link': {
    turn: diff(
      `diff --git a/${path} b/${path}\nnew file mode 120000\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+/etc/passwd\n`,
    ),
    ends: /no plain one/,
  },
  'a file to be run': { turn: diff(`new file mode 100755\n${head}${good}`), ends: /no plain one/ },
  'a renaming': {
    turn: diff(`diff --git a/${path} b/x\nsimilarity index 100%\nrename from ${path}\nrename to x\n`),
    ends: /renames or copies/,
  },
  'a copy': { turn: diff(`diff --git a/${path} b/x\ncopy from ${path}\ncopy to x\n`), ends: /renames or copies/ },
  'a move in another dialect': {
    turn: diff(`*** Update File: ${path}\n*** Move to: .git/x\n${good}`),
    ends: /renames or copies/,
  },
  'a binary patch': {
    turn: diff(`diff --git a/${path} b/${path}\nGIT binary patch\nliteral 3\nKcmZQz\n`),
    ends: /binary patch/,
  },
  'a binary patch behind a good hunk': {
    turn: diff(`${head}${good}GIT binary patch\nliteral 3\n`),
    ends: /binary patch/,
  },
  'binary files': { turn: diff(`Binary files a/${path} and b/${path} differ\n`), ends: /binary patch/ },
  'a diff of a merge': { turn: diff(`${head}@@@ -1 -1 +1 @@@\n--one\n++two\n`), ends: /diff of a merge/ },
  'a new file where one is': {
    turn: diff(`--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+x\n`),
    ends: /no line of the file/,
  },
  'a new file where none is': {
    turn: diff(`--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+x\n`),
    code: '',
    ends: 'x\n',
  },

  // Nothing, or no patch.
  'an empty object': { turn: submits({}), ends: /without a diff or a content/ },
  'an empty diff': { turn: diff(' \n'), ends: /the patch is empty/ },
  'no object': { turn: submits([1]), ends: /without a diff or a content/ },
  null: { turn: submits(null), ends: /without a diff or a content/ },
  numbers: { turn: submits({ diff: 7, content: {} }), ends: /without a diff or a content/ },
  'another tool': { turn: submits({ command: 'rm -rf /' }, 'run_shell'), ends: /there is no patch/ },
  'two calls': {
    turn: { parts: [...diff(good).parts.slice(0, 1), ...diff(good).parts] },
    ends: /was called 2 times/,
  },
  'a refusal': { turn: says('I cannot help with that.'), ends: /there is no patch/ },
  'a head alone': { turn: diff(head), ends: /no hunk/ },
  'context alone': { turn: diff(`${head}@@ -1,2 +1,2 @@\n one\n two\n`), ends: /changes nothing/ },
  'a change to the same': { turn: diff(`${head}@@ -1 +1 @@\n-one\n+one\n`), ends: /changes nothing/ },
  'the same file': { turn: file(code), ends: /changes nothing/ },
  'an empty file': { turn: file('\n'), ends: /empty/ },
  'characters that are no text': { turn: file('one\n\ud800\n'), ends: /no text/ },
  'a NUL': { turn: diff(`${head}@@ -1 +1 @@\n-one\n+o\0ne\n`), ends: /no text/ },
  'more than the largest file': { turn: file('x\n'.repeat(1_500_001)), ends: /longer than 3000000/ },
  HTML: { turn: says('<html><body>502 Bad Gateway</body></html>'), ends: /there is no patch/ },

  // Hunks that do not fit.
  'old lines that are not there': {
    turn: diff(`${head}@@ -1,2 +1,2 @@\n one\n-zwei\n+2\n`),
    ends: /"zwei" is no line of the file/,
  },
  'old lines in another order': {
    turn: diff(`${head}@@ -1,2 +1,1 @@\n-two\n-one\n`),
    ends: /at line 1 the file has "one", the hunk "two"/,
  },
  'old lines behind the end': {
    turn: diff(`${head}@@ -6,2 +6,2 @@\n-six\n-one\n+x\n`),
    ends: /the file ends before it/,
  },
  'a place that is two': { turn: diff(`${head}@@\n-b\n+B\n`), code: twice, ends: /at line 2 as well as at line 5/ },
  'a place that is named': { turn: diff(`${head}@@ -5 +5 @@\n-b\n+B\n`), code: twice, ends: 'a\nb\nc\na\nB\nc\n' },
  'no place at all': { turn: diff(`${head}@@ -3,0 +4 @@\n+x\n`), ends: /nobody can say where it belongs/ },
  'the same hunk twice': { turn: diff(head + good + good), ends: /change the same place/ },
  'the same insertion twice': { turn: diff(`@@\n one\n+x\n two\n@@\n one\n+x\n two\n`), ends: /change the same place/ },
  'hunks in the wrong order': {
    turn: diff(`${head}@@\n-five\n+5\n@@\n-two\n+2\n`),
    ends: code.replace('five', '5').replace('two', '2'),
  },
  'hunks whose context overlaps': {
    turn: diff(`@@\n one\n-two\n+2\n three\n four\n@@\n three\n four\n-five\n+5\n six\n`),
    ends: code.replace('five', '5').replace('two', '2'),
  },
  'numbers beyond all files': { turn: diff(`${head}@@ -999999999,9 +999999999,9 @@\n-two\n+TWO\n`), ends: done },
  'numbers that are too long': { turn: diff(`${head}@@ -${'9'.repeat(99)} +1 @@\n-two\n+TWO\n`), ends: done },
  'a negative count': { turn: diff(`${head}@@ -2,-1 +2,-1 @@\n-two\n+TWO\n`), ends: done },
  'lines that lost their blank': { turn: diff(`${head}@@ -1,3 +1,3 @@\none\n-two\n+TWO\nthree\n`), ends: done },
  'indented code that lost its blank': {
    turn: diff(`@@ -1,3 +1,3 @@\n  if (x) {\n-    two\n+    TWO\n  }\n`),
    ...{ code: '  if (x) {\n    two\n  }\n', ends: '  if (x) {\n    TWO\n  }\n' },
  },
  'words behind the diff': { turn: diff(`${head}${good}\nThis makes it louder.`), ends: done },
  'a list behind the diff': {
    turn: diff(`${head}@@\n one\n-two\n+TWO\n\nWhat I did:\n- made it louder\n`),
    ends: /is no line of the file/,
  },
  'words with a mark behind right counts': { turn: diff(shouted), ends: done },
  'words with a mark behind right counts, in a text': { turn: says(shouted), ends: done },
  'words with a mark behind right counts, in a fence': { turn: fenced(shouted, 'diff'), ends: done },
  'words with a mark where the file has a blank line': { turn: diff(shouted), code: verse, ends: /may be words or/ },
  'words with a mark where it has one, in a text': { turn: says(shouted), code: verse, ends: /may be words or/ },
  'words with a mark where it has one, in a fence': {
    turn: fenced(shouted, 'diff'),
    ...{ code: verse, ends: /may be words or/ },
  },
  'a rule behind right counts': { turn: diff(`${head}${toFive}\n-\n`), code: verse, ends: loud },
  'lines that the counts forgot, and a list behind them': {
    turn: diff(`${forgetful}-five\n+FIVE\n six\n\n- made it louder\n`),
    ...{ code: pair, ends: /lines of the file stand behind what the counts of a hunk cover/ },
  },
  'lines that the counts forgot, and a list behind them, in a text': {
    turn: says(`${forgetful}-five\n+FIVE\n six\n\nWhat I changed:\n\n- made it louder\n`),
    ...{ code: pair, ends: /lines of the file stand behind what the counts of a hunk cover/ },
  },
  'lines that the counts forgot, one of them copied wrongly': {
    turn: diff(`${forgetful}-five\n+FIVE\n siks\n`),
    ...{ code: pair, ends: /lines of the file stand behind what the counts of a hunk cover/ },
  },
  'lines that the counts forgot, a blank one replaced': {
    turn: diff(`${forgetful}-\n+FIVE\n\n- made it louder\n`),
    ...{ code: 'one\ntwo\nthree\n\n\n', ends: /lines of the file stand behind what the counts of a hunk cover/ },
  },
  'words with a mark behind counts that are too large': {
    turn: diff(shouted.replaceAll('1,5', '1,9')),
    ...{ code: verse, ends: /the lines behind a blank line of a hunk may be words/ },
  },
  'words with a mark behind counts that are too large, in two lines': {
    turn: says(`${shouted.replaceAll('1,5', '1,9')}\n+ and that is all\n`),
    ...{ code: verse.replace('\n\n', '\n\n\n'), ends: /the lines behind a blank line of a hunk may be words/ },
  },
  'words with a mark behind a hunk without counts': {
    turn: diff(`${head}@@\n one\n-two\n+TWO\n three\n\n+ Now it is in capitals\n`),
    ...{ code: pair, ends: /the lines behind a blank line of a hunk may be words/ },
  },
  'added lines behind a blank one that has its mark, with wrong counts': {
    turn: diff(`${head}@@ -1,9 +1,9 @@\n one\n-two\n+TWO\n three\n \n+four\n`),
    ...{ code: pair, ends: 'one\nTWO\nthree\n\nfour\nfive\nsix\n' },
  },
  'words with a mark right behind the counts': {
    turn: diff(`${head}${toFive}+ Now it is in capitals\n`),
    ...{ code: verse, ends: /hunk 1: its counts are not those of its lines/ },
  },
  'words with a mark between hunks, the second with wrong counts': {
    turn: diff(`${head}${toFive}\n- and the end:\n@@ -7,9 +7,9 @@\n-six\n+6\n`),
    ...{ code: verse, ends: /words stand between its hunks/ },
  },
  'a mark for no newline where there is one': {
    turn: diff(`${head}@@ -6 +6 @@\n-six\n\\ No newline at end of file\n+6\n\\ No newline at end of file\n`),
    ends: code.replace('six', '6'),
  },

  // Text that looks like a diff, or like a fence.
  'a changed line that looks like a head': {
    turn: diff(
      `${head}@@ -1,6 +1,6 @@\n x\n---- a/old\n-+++ b/old\n+--- a/new\n++++ b/new\n @@ -1 +1 @@\n -- a/src/a.ts\n y\n`,
    ),
    ...{ code: ofDiffs, ends: ofDiffs.replaceAll('old', 'new') },
  },
  'a removed line that may be a head, with right counts': {
    turn: diff(`@@ -2 +2 @@\n--- a/src/a.ts\n+++ b/src/a.ts\n@@ -4 +4 @@\n-y\n+z\n`),
    ...{ code: 'x\n-- a/src/a.ts\nw\ny\n', ends: 'x\n++ b/src/a.ts\nw\nz\n' },
  },
  'a removed line that may be a head, with wrong counts': {
    turn: diff(`@@ -1,99 +1,99 @@\n x\n--- a/src/a.ts\n+++ b/src/a.ts\n@@ -6 +6 @@\n-y\n+z\n`),
    ...{ code: 'x\n-- a/src/a.ts\ny\n', ends: /may also be the head of a diff/ },
  },
  'a diff as the file itself': { turn: file(`${head}${good}`), code: 'x\n', ends: `${head}${good}` },
  'a diff of a file with fences': {
    turn: fenced(`--- a/${path}\n+++ b/${path}\n@@ -3,3 +3,3 @@\n \`\`\`js\n-one();\n+two();\n \`\`\`\n`, 'diff'),
    ...{ code: script, ends: script.replace('one', 'two') },
  },
  'a fence that ends its block early': {
    turn: fenced(`@@ -3,3 +3,3 @@\n \`\`\`js\n-one();\n+two();\n\`\`\`\n \n-End\n+END\n`, 'diff'),
    ...{ code: script, ends: /is not closed/ },
  },
  'two fences among the lines of a diff': {
    turn: fenced('@@\n # Use\n-old\n+new\n```\ncode\n```\n-End\n+END\n', 'diff'),
    ...{ code: '# Use\nold\n```\ncode\n```\nEnd\n', ends: /another block follows the diff/ },
  },
  'a whole file that holds a diff': {
    turn: fenced(ofDiffs.replaceAll('old', 'new')),
    ...{ code: ofDiffs, ends: ofDiffs.replaceAll('old', 'new') },
  },
  'a whole file with fences': {
    turn: fenced(script.replace('one', 'two'), 'markdown'),
    code: script,
    ends: script.replace('one', 'two'),
  },
  'a whole file with fences in a longer one': {
    turn: fenced(script.replace('one', 'two'), 'markdown', '~~~~'),
    ...{ code: script, ends: script.replace('one', 'two') },
  },
  'a whole file with bare fences': {
    turn: fenced(`# Use\n\n\`\`\`\ntwo();\n\`\`\`\n\nEnd\n`, 'markdown'),
    ...{ code: script, ends: /several blocks/ },
  },
  'an unclosed block': { turn: says(`\`\`\`ts\n${done}`), ends: /is not closed/ },
  'two blocks of code': {
    turn: says(`\`\`\`ts\n${done}\`\`\`\nor\n\`\`\`ts\n${code}x\n\`\`\``),
    ends: /several blocks/,
  },
  'a diff and the one in its place': {
    turn: says(`\`\`\`diff\n${head}${good}\`\`\`\nNo, use this:\n\`\`\`diff\n${head}@@ -4 +4 @@\n-four\n+4\n\`\`\``),
    ends: /there are 2 blocks with a diff/,
  },
  'a diff and the one in its place, by the tool': {
    turn: diff(`\`\`\`diff\n${head}${good}\`\`\`\nNo, use this:\n\`\`\`diff\n${head}@@ -4 +4 @@\n-four\n+4\n\`\`\``),
    ends: /there are 2 blocks with a diff/,
  },
  'a diff and the one in its place, without fences': {
    turn: says(`${head}${good}\nNo, use this:\n\n${head}@@ -4 +4 @@\n-four\n+4\n`),
    ends: /words stand between its hunks/,
  },
  'JSON that is the new file': {
    turn: fenced('{"content": "evil", "diff": "x"}\n', 'json'),
    ...{ code: '{"content": "evil"}\n', ends: '{"content": "evil", "diff": "x"}\n' },
  },
  'ten thousand blocks': { turn: says('```\n'.repeat(20_000)), ends: /10000 blocks/ },

  // Line ends.
  'LF for a file of CRLF': {
    turn: diff(`${head}${good}`),
    code: code.replaceAll('\n', '\r\n'),
    ends: done.replaceAll('\n', '\r\n'),
  },
  'a file of LF for one of CRLF': {
    turn: file(done),
    code: code.replaceAll('\n', '\r\n'),
    ends: done.replaceAll('\n', '\r\n'),
  },
  'CRLF for a file of LF': { turn: diff(`${head}${good}`.replaceAll('\n', '\r\n')), ends: done },
  'an addition behind an open end': { turn: diff('@@\n b\n+c\n'), code: 'a\r\nb', ends: 'a\r\nb\r\nc' },
  'more lines behind an open end': { turn: diff('@@\n b\n+c\n+d\n'), code: 'a\r\nb', ends: 'a\r\nb\r\nc\r\nd' },
  'an addition with mixed ends': { turn: diff('@@\n b\n+x\n'), code: 'a\nb\r\nc\n', ends: 'a\nb\r\nx\r\nc\n' },
};

testAttacks(attacks);

const wide = ' '.repeat(300_000);
const many = 40_000;

/** What would keep the event loop busy for minutes if anything in here looked at the same characters again and again. */
const slow: Readonly<Record<string, { readonly turn: Turn; readonly code?: string }>> = {
  'one line again and again': { turn: diff(`@@\n${' a\n'.repeat(100_000)}-a\n+b\n`), code: 'a\n'.repeat(200_000) },
  'runs that are almost there': {
    turn: diff(`@@\n${' a\n'.repeat(20_000)}-b\n+c\n`.repeat(2)),
    code: `${'a\n'.repeat(10_000)}b\n`.repeat(10),
  },
  'many hunks': {
    turn: diff(Array.from({ length: many }, (_, i) => `@@\n ${i % 9}\n ${i % 8}\n-${i % 7}\n+x\n`).join('')),
    code: Array.from({ length: 20 * many }, (_, i) => `${(i * i) % 11}\n`).join(''),
  },
  'many hunks of one line each': {
    turn: diff(Array.from({ length: many }, (_, i) => `@@\n-${i}\n+${i}\n`).join('')),
    code: Array.from({ length: many }, (_, i) => `${i}\n`).join(''),
  },
  'a wide name': { turn: diff(`--- ${wide}x\n+++ ${wide}x\n${good}`) },
  'a wide pair of names': { turn: diff(`diff --git ${'a '.repeat(200_000)}x\n${good}`) },
  'a name in quotes without an end': {
    turn: diff(`--- "${'\\\\'.repeat(200_000)}\n+++ "${'\\7'.repeat(200_000)}"\n${good}`),
  },
  'a wide fence': { turn: says(`\`\`\`${wide}x\`\n${wide}x\n\`\`\`${wide}`) },
  'a wide line': { turn: file(`${wide}x\n//${wide}x\none\n`) },
  'a wide end of a line': { turn: diff(`@@\n one\n+${'\r'.repeat(400_000)}x\n`), code: code.replaceAll('\n', '\r\n') },
  'many blocks': { turn: says('```json\n{}\n```\n'.repeat(50_000)), code: `[${'1,'.repeat(500_000)}1]` },
  'deep JSON': { turn: says(`{"diff":${'['.repeat(200_000)}`) },
};

test.each(Object.entries(slow))(
  'no answer takes long: %s',
  { timeout: 30_000 },
  async (_name, { turn, code: original = code }) => {
    const { model, run } = codeRig();
    model.play(turn, turn);
    const begin = performance.now();
    const settled = await run({ file_path: path, code_snippet: original, instruction: 'x' }).catch(
      (error: unknown) => error,
    );
    // Leases last four seconds, and this is two answers on a machine that does other things as well.
    expect(performance.now() - begin).toBeLessThan(8_000);
    if (settled instanceof Error) expect(settled).toMatchObject({ code: 'internal' });
  },
);
