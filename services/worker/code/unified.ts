// Reads a unified diff for one file as models write it: with a head or without, in a foreign dialect of the head, with counts that are
// wrong or missing. Two readings of the same text: `counted` believes the counts of each hunk, as git does, and is right where they are,
// even if a changed line looks like the head of a diff; `marked` goes by the first character of each line, words behind the diff included,
// and so it is for counts that are wrong, never for counts that hold. Anything but changed lines of this one file is refused. What is not known is not guessed: where a hunk belongs, and whether its lines are there, is place.ts.
import { err, ok, type Result } from '#core/result.ts';
import { isNameOf, isNothing, isPairOf } from './names.ts';

export interface HunkLine {
  readonly kind: 'keep' | 'remove' | 'add';
  readonly text: string;
  /** With its first character, as it stands in the diff. */
  readonly raw: string;
  /** `\ No newline at end of file` follows. */
  noNewline: boolean;
}

export interface Hunk {
  /** The line of the file, from 1, where it is said to begin. */
  readonly start: number | undefined;
  readonly lines: readonly HunkLine[];
}

export type Reading = 'counted' | 'marked';

export interface Parsed {
  /** The hunks that change something; or what is wrong, in words for whoever wrote it. */
  readonly hunks: Result<readonly Hunk[], string>;
  /** Marked lines stand behind what the counts cover: words, or lines that the counts forgot. */
  readonly trailed: boolean;
  /** A hunk ends in lines that it adds behind a blank one without a mark: what follows that may be words as well. */
  readonly doubtful: boolean;
}

export interface DiffOf {
  readonly path: string;
  /** Whether the file has this line. */
  readonly has: (line: string) => boolean;
}

/** What only a patch can do that is more than an edit. */
const refused: readonly (readonly [RegExp, string])[] = [
  [/^(GIT binary patch|Binary files .* differ)/, 'it is a binary patch; only lines may change'],
  [/^(old|new) mode /, 'it changes the mode of the file; only lines may change'],
  [/^new file mode (?!100644)/, 'it makes a file that is no plain one (a link, or one to be run)'],
  [/^(deleted file mode |\*\*\* Delete File: )/, 'it removes the file; only lines may change'],
  [/^(rename|copy) (from|to) |^\*\*\* Move to: /, 'it renames or copies the file; only lines may change'],
  [/^@@@/, 'it is a diff of a merge'],
];

const isRefused = (line: string): boolean => refused.some(([pattern]) => pattern.test(line));

const header = /^@@(?:\s*-(\d{1,9})(?:,(\d{1,9}))?\s+\+(\d{1,9})(?:,(\d{1,9}))?)?/;
const isPatchWord = (line: string): boolean =>
  /^\*\*\* (Begin Patch|End Patch|End of File|Update File: |Add File: )/.test(line);

/** The lines of a diff, without what its way to us did to all of them: `\r` at each end, an indentation. */
export function diffLines(text: string): readonly string[] {
  let lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const isHead = (line: string): boolean => /^(diff --git |--- |\+\+\+ |@@ ?)/.test(line.trimStart());
  // git writes no `\r` into a head.
  const heads = lines.filter((line) => isHead(line) && /^\S/.test(line));
  if (heads.length > 0 && heads.every((line) => line.endsWith('\r')))
    lines = lines.map((line) => line.replace(/\r$/, ''));
  if (heads.length > 0) return lines;
  const indent = /^\s+/.exec(lines.find(isHead) ?? '')?.[0];
  if (indent === undefined) return lines;
  const whole = lines.every((line) => line.trim() === '' || line.startsWith(indent));
  return whole ? lines.map((line) => line.slice(indent.length)) : lines;
}

/** Reads the lines of a diff for this file. */
export function parseDiff(lines: readonly string[], reading: Reading, file: DiffOf): Parsed {
  const behind: Behind = { blank: false, marked: false, words: false, known: false };
  const hunks = hunksOf(lines, reading, file, behind);
  return { hunks, trailed: behind.marked, doubtful: hunks.ok && hunks.value.some(isDoubtful) };
}

/** What stands behind the lines that a hunk's counts cover. */
interface Behind {
  /** Of the newest hunk. One that the hunk keeps would have a blank as its mark. */
  blank: boolean;
  marked: boolean;
  words: boolean;
  /** A line of the file, kept or removed: the counts forgot it, and so they may have forgotten those around it. */
  known: boolean;
}

function hunksOf(
  lines: readonly string[],
  reading: Reading,
  file: DiffOf,
  behind: Behind,
): Result<readonly Hunk[], string> {
  const hunks: Hunk[] = [];
  /** What follows `diff --git`, until names have been seen. */
  let pair: string | undefined;
  let isNamed = false;
  let i = 0;
  while (i < lines.length) {
    const line = lines[i] ?? '';
    const why = refused.find(([pattern]) => pattern.test(line))?.[1];
    if (why !== undefined) return err(why);
    if (behind.words && (line.startsWith('@@') || isHeadPair(lines, i)))
      return err('words stand between its hunks; give one diff, and nothing else');
    const pairHere = /^diff --git (.*)$/.exec(line)?.[1];
    const named = /^\*\*\* (?:Update|Add) File: (.*)$/.exec(line)?.[1];
    if (pairHere !== undefined) {
      pair = pairHere;
      i++;
    } else if (named !== undefined) {
      if (!isNameOf(named, file.path)) return err(otherFile(named, file.path));
      i++;
    } else if (isHeadPair(lines, i)) {
      const wrong = namesProblem(line.slice(4), (lines[i + 1] ?? '').slice(4), file.path);
      if (wrong !== undefined) return err(wrong);
      pair = undefined;
      isNamed = true;
      i += 2;
      // A head and then lines, without any `@@`.
      if (reading === 'marked' && /^[ +-]/.test(lines[i] ?? ''))
        i = takeMarked(lines, i, undefined, file, hunks, behind);
    } else if (line.startsWith('@@')) {
      if (pair !== undefined && !isPairOf(pair, file.path)) return err(otherFile(pair, file.path));
      const numbers = header.exec(line);
      const start = numbers?.[1] === undefined ? undefined : Number(numbers[1]);
      if (reading === 'marked') i = takeMarked(lines, i + 1, start, file, hunks, behind);
      else {
        const next = takeCounted(lines, i + 1, start, numbers, hunks);
        if (next === undefined) return err(`hunk ${hunks.length + 1}: its counts are not those of its lines`);
        i = next;
        behind.blank = false;
      }
      if (i < 0) return err(`hunk ${hunks.length}: a line of it may also be the head of a diff; give the right counts`);
    } else {
      // Words around the diff, as git has it. Without a blank line before them they may be lines that the counts forgot.
      if (reading === 'counted' && hunks.length > 0) {
        if (/^[+-]/.test(line)) {
          behind.marked = true;
          if (!behind.blank) return err(`hunk ${hunks.length}: its counts are not those of its lines`);
        }
        behind.blank ||= /^\r?$/.test(line);
        behind.words ||= isWords(line, file);
        behind.known ||= isKnown(line, file) || isReplacedBlank(lines, i);
      }
      i++;
    }
  }
  if (pair !== undefined && !isNamed && !isPairOf(pair, file.path)) return err(otherFile(pair, file.path));
  if (behind.marked && behind.known)
    return err('lines of the file stand behind what the counts of a hunk cover; give the right counts');
  const changes = hunks.filter((hunk) => hunk.lines.some(({ kind }) => kind !== 'keep'));
  if (changes.length > 0) return ok(changes);
  return err(hunks.length > 0 ? 'it changes nothing' : 'there is no hunk in it');
}

/** Nothing that belongs to a diff or to its way here, and no line of the file that has lost its mark. */
const isWords = (line: string, { has }: DiffOf): boolean =>
  /^[^\s\\]/.test(line) &&
  !/^(index |new file mode |similarity index |`{3}|~{3})/.test(line) &&
  !isPatchWord(line) &&
  !has(line);

/** A line of the file as a diff has it, its mark lost or not; a blank one says nothing. */
const isKnown = (line: string, { has }: DiffOf): boolean => {
  const text = /^[ -]/.test(line) ? line.slice(1) : line;
  return text.trim() !== '' && has(text);
};

/** A blank line of the file and what stands in its place; a `-` alone is a rule between words. */
const isReplacedBlank = (lines: readonly string[], i: number): boolean =>
  /^-\s*$/.test(lines[i] ?? '') && lines[i + 1]?.startsWith('+') === true;

function isDoubtful({ lines }: Hunk): boolean {
  const isBlank = ({ kind, raw }: HunkLine): boolean => kind === 'keep' && /^\r?$/.test(raw);
  const end = lines.findLastIndex((line) => line.kind !== 'add' && !isBlank(line));
  const blank = lines.findIndex((line, i) => i > end && isBlank(line));
  return blank >= 0 && lines.at(-1)?.kind === 'add';
}

/** The place behind the hunk; undefined when its counts are wrong or missing. */
function takeCounted(
  lines: readonly string[],
  from: number,
  start: number | undefined,
  numbers: RegExpExecArray | null,
  hunks: Hunk[],
): number | undefined {
  if (start === undefined || numbers === null) return undefined;
  let [old, fresh] = [Number(numbers[2] ?? 1), Number(numbers[4] ?? 1)];
  const taken: HunkLine[] = [];
  let i = from;
  for (; old > 0 || fresh > 0 || isMark(lines[i]); i++) {
    const raw = lines[i];
    if (raw === undefined) return undefined;
    if (!take(raw, taken) || /^[^ +\\-]/.test(raw)) return undefined;
    if (isMark(raw)) continue;
    const kind = taken.at(-1)?.kind;
    if (kind !== 'add') old--;
    if (kind !== 'remove') fresh--;
    if (old < 0 || fresh < 0) return undefined;
  }
  hunks.push({ start, lines: taken });
  return i;
}

/** The place behind the hunk, which ends where something else begins; -1 when nobody can say whether it does. */
function takeMarked(
  lines: readonly string[],
  from: number,
  start: number | undefined,
  file: DiffOf,
  hunks: Hunk[],
  behind: Behind,
): number {
  const taken: HunkLine[] = [];
  let i = from;
  let unclear = false;
  for (; i < lines.length; i++) {
    const raw = lines[i] ?? '';
    if (/^(@@|diff --git )/.test(raw) || isPatchWord(raw) || isRefused(raw)) break;
    if (isHeadPair(lines, i) && lines[i + 2]?.startsWith('@@') === true) {
      unclear = file.has(raw.slice(1));
      break;
    }
    if (!take(raw, taken)) break;
  }
  // What follows the last marked line is blank, or words.
  for (let last = taken.at(-1); last !== undefined; last = taken.at(-1)) {
    if (last.kind !== 'keep' || last.noNewline || (last.raw !== '' && last.text !== last.raw)) break;
    behind.words ||= isWords(last.raw, file);
    taken.pop();
  }
  hunks.push({ start, lines: taken });
  return unclear ? -1 : i;
}

/** `\ No newline at end of file`, in whatever language. */
const isMark = (line: string | undefined): boolean => line?.startsWith('\\ ') === true;

/** Adds a line by its first character; one without any is a kept one that has lost it. False for a mark that marks nothing. */
function take(raw: string, to: HunkLine[]): boolean {
  const last = to.at(-1);
  if (isMark(raw)) {
    if (last === undefined) return false;
    last.noNewline = true;
    return true;
  }
  const [first, rest] = [raw.charAt(0), raw.slice(1)];
  if (first === '+') to.push({ kind: 'add', text: rest, raw, noNewline: false });
  else if (first === '-') to.push({ kind: 'remove', text: rest, raw, noNewline: false });
  else to.push({ kind: 'keep', text: first === ' ' ? rest : raw, raw, noNewline: false });
  return true;
}

const isHeadPair = (lines: readonly string[], i: number): boolean =>
  /^--- \S/.test(lines[i] ?? '') && /^\+\+\+ \S/.test(lines[i + 1] ?? '');

function namesProblem(before: string, after: string, path: string): string | undefined {
  if (isNothing(after)) return 'it removes the file; only lines may change';
  if (!isNothing(before) && !isNameOf(before, path)) return otherFile(before, path);
  return isNameOf(after, path) ? undefined : otherFile(after, path);
}

function otherFile(named: string, path: string): string {
  return `it is for ${JSON.stringify(named.trim().slice(0, 200))}; only ${JSON.stringify(path)} may change`;
}
