// A whole file in place of a patch. What may be only a part of one is refused: taken for the file it would remove all the rest.
import { err, ok, type Result } from '#core/result.ts';
import type { CodeFile } from './patch.ts';
import { lineEndsOf, linesOf, shown, textOf } from './text.ts';

/** `// ... rest of the code stays`, `# existing code here`, in the ways in which models leave code out. */
const leftOut =
  /^(\/\/|#|--|\/\*|<!--|;|%)?\s*(\.\.\.|…|\[\.\.\.\])\s*(\(?(the )?(rest|remaining|existing|other|previous|same|unchanged|omitted)\b.*)?(\*\/|-->)?$|^(\/\/|#|--|\/\*|<!--)\s*\(?(the )?(rest of (the |this |your )?(code|file|function|class|implementation)|existing code|unchanged code|(code|rest) (is |stays |remains )?unchanged)\b/i;

/** No such line is long. */
const leavesOut = (line: string): boolean => line.length < 200 && leftOut.test(line);

/**
 * The file that is meant, its lines ended as the original's are; or why it cannot be one. Two thirds of the original's lines must be in it
 * (half of the words, where that is one line), and it must not begin or end in the midst of them. `isSaid`: the model said that this is
 * the whole file; then it may be another text of at least half as many lines, and lack up to three lines at its beginning and at its end.
 */
export function wholeFile({ path, original }: CodeFile, content: string, isSaid: boolean): Result<string, string> {
  const before = linesOf(original);
  const after = linesOf(content);
  const known = knownLines(original);
  const isStub = /\.pyi?$/i.test(path) ? stubsOf(before.lines, after.lines) : () => false;
  const gap = after.lines.find((line, i) => leavesOut(line.trim()) && !known.has(line.trim()) && !isStub(i));
  if (gap !== undefined) return err(`${shown(gap)} leaves code out; give the whole file, or a diff`);
  if (content.trim() === '' && original.trim() !== '') return err('the file in it is empty');
  if (isPart(before.lines, after.lines, isSaid)) {
    return err('the code in it is a part of the file alone; give a diff, or the whole file');
  }
  const ends = lineEndsOf(before);
  const theirs = lineEndsOf(after);
  let lines = after.lines;
  if (ends === 'crlf' && theirs !== 'crlf') lines = lines.map((line) => `${line.replace(/\r$/, '')}\r`);
  else if (ends === 'lf' && theirs === 'crlf') lines = lines.map((line) => line.replace(/\r$/, ''));
  const text = textOf({ lines, ended: before.ended });
  const result = before.ended || ends !== 'crlf' ? text : text.replace(/\r$/, '');
  return result === original ? err('it changes nothing') : ok(result);
}

/** Of Python: heads of functions and classes, and bodies that say nothing. */
const empty = /^((async\s+)?(def|class)\b.*:\s*(pass|\.\.\.)?|pass|raise NotImplementedError\b.*)$/;

/**
 * Where `...` is the body of something in Python, and no gap: of a function or class whose name is new; of any where nothing of the file was lost
 * but heads and bodies that say nothing, either.
 */
function stubsOf(before: readonly string[], after: readonly string[]): (at: number) => boolean {
  const namesIn = (lines: readonly string[]): readonly string[] =>
    lines.flatMap((line) => /^\s*(?:async\s+)?(?:def|class)\s+(\w+).*:\s*$/.exec(line)?.[1] ?? []);
  const [names, there] = [new Set(namesIn(before)), new Set(after.map((line) => line.trim()))];
  const isWhole = before.every((line) => there.has(line.trim()) || empty.test(line.trim()));
  return (at) => {
    if (after[at]?.trim() !== '...') return false;
    let above = at - 1;
    while (after[above]?.trim() === '') above--;
    const head = after[above] ?? '';
    const [name] = namesIn([head]);
    return (name !== undefined && !names.has(name)) || (isWhole && /(:|"{3}|'{3})$/.test(head.trim()));
  };
}

function isPart(before: readonly string[], after: readonly string[], isSaid: boolean): boolean {
  const [was, is] = [before, after].map((lines) => lines.flatMap((line) => line.trim() || []));
  if (was === undefined || is === undefined) return false;
  if (was.length < 2) return !isSaid && isStranger(was[0] ?? '', is.join(' '));
  const [known, there] = [new Set(was), new Set(is)];
  const lacks = was.filter((line) => there.has(line)).length * 3 < was.length * 2;
  if (lacks && (!isSaid || is.length * 2 < was.length)) return true;
  // Where it begins or ends with a line of the original, that should be no later or earlier one than the original's own.
  const [first = '', last = ''] = [is[0], is.at(-1)];
  const most = isSaid ? 3 : 0;
  const cutAt = (theirs: string, own: string | undefined, gone: number): boolean =>
    known.has(theirs) && !there.has(own ?? '') && gone > most;
  return cutAt(first, was[0], was.indexOf(first)) || cutAt(last, was.at(-1), was.length - 1 - was.lastIndexOf(last));
}

/** Whether fewer than half of the words of a file of one line are in the text, as where a model shows a command to run. */
function isStranger(line: string, text: string): boolean {
  const words = (of: string): readonly string[] => of.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
  const [was, there] = [[...new Set(words(line))], new Set(words(text))];
  return was.filter((word) => there.has(word)).length * 2 < was.length;
}

/** Whether a text without any mark of code is the file and nothing else: it begins and ends with lines of the original. */
export function looksWhole(known: ReadonlySet<string>, text: string): boolean {
  const lines = text.split('\n').flatMap((line) => line.trim() || []);
  const [first, last] = [lines[0], lines.at(-1)];
  return first !== undefined && last !== undefined && known.has(first) && known.has(last);
}

/** The lines of the original, for looksWhole. */
export const knownLines = (original: string): ReadonlySet<string> =>
  new Set(linesOf(original).lines.map((line) => line.trim()));
