// Applies hunks to a file. A hunk belongs where all its old lines stand, blanks at their ends apart: at the line that it names, else at
// the one place in the whole file where they do. Two such places, or none, are a refusal with the reason, never a guess.
import { err, ok, type Result } from '#core/result.ts';
import { createFinder, type Finder } from './finder.ts';
import { lineEndsOf, type Lines, linesOf, shown, textOf } from './text.ts';
import type { Hunk, HunkLine } from './unified.ts';

interface Placed {
  readonly n: number;
  readonly hunk: Hunk;
  /** Index of the first old line. */
  readonly at: number;
  readonly old: readonly string[];
}

/** The file after the hunks; or what is wrong, in words for whoever wrote them. */
export function applyHunks(original: string, hunks: readonly Hunk[]): Result<string, string> {
  const file = linesOf(original);
  const find = createFinder(file.lines);
  const placed: Placed[] = [];
  for (const [i, hunk] of hunks.entries()) {
    const one = place(hunk, i + 1, find);
    if (!one.ok) return one;
    placed.push(one.value);
  }
  const ordered = inOrder(placed);
  if (!ordered.ok) return ordered;
  const result = rebuild(file, ordered.value);
  return result === original ? err('it changes nothing') : ok(result);
}

function place(hunk: Hunk, n: number, find: Finder): Result<Placed, string> {
  // The second way: every kept line has lost the blank that marks it.
  const [marked, bare] = [oldLines(hunk, ({ text }) => text), oldLines(hunk, ({ raw }) => raw)];
  if (marked.length === 0) {
    if (find.count === 0) return ok({ n, hunk, at: 0, old: [] });
    return err(`hunk ${n}: it has no line of the file, so nobody can say where it belongs`);
  }
  const said = hunk.start === undefined ? undefined : hunk.start - 1;
  for (const old of [marked, bare]) {
    if (said !== undefined && find.fits(old, said)) return ok({ n, hunk, at: said, old });
    const places = find.places(old);
    if (places === undefined) return err(`hunk ${n}: there are too many hunks to look for; name the line of each`);
    const [at, second] = places;
    if (second !== undefined) {
      const where = `at line ${(at ?? 0) + 1} as well as at line ${second + 1}`;
      return err(`hunk ${n}: its old lines stand ${where}; name the line, or give more lines around the change`);
    }
    if (at !== undefined) return ok({ n, hunk, at, old });
  }
  return err(`hunk ${n}: ${missing(marked, said, find)}`);
}

function oldLines({ lines }: Hunk, keep: (line: HunkLine) => string): readonly string[] {
  return lines.flatMap((line) => (line.kind === 'add' ? [] : [line.kind === 'keep' ? keep(line) : line.text]));
}

function missing(old: readonly string[], said: number | undefined, find: Finder): string {
  const stranger = old.find((line) => !find.has(line));
  if (stranger !== undefined) return `${shown(stranger)} is no line of the file; old lines must be copied as they are`;
  const differs = said === undefined ? -1 : old.findIndex((line, i) => !find.fits([line], said + i));
  if (said === undefined || differs < 0) return 'its old lines do not stand together in the file';
  const there = find.line(said + differs);
  const has = there === undefined ? 'the file ends before it' : `the file has ${shown(there)}`;
  return `at line ${said + differs + 1} ${has}, the hunk ${shown(old[differs] ?? '')}`;
}

/** In the order of what they change; or two of them change the same place, as when one is given twice. */
function inOrder(placed: readonly Placed[]): Result<readonly Placed[], string> {
  const spans = placed.map((one) => {
    let [i, begin, end] = [one.at, -1, -1];
    for (const { kind } of one.hunk.lines) {
      if (kind !== 'keep' && begin < 0) begin = i;
      if (kind !== 'add') i++;
      if (kind !== 'keep') end = i;
    }
    return { one, begin, end, adds: one.hunk.lines.find(({ kind }) => kind !== 'keep')?.kind === 'add' };
  });
  spans.sort((a, b) => a.begin - b.begin || a.one.n - b.one.n);
  for (const [i, span] of spans.entries()) {
    const last = spans[i - 1];
    if (last === undefined || last.end < span.begin || (last.end === span.begin && !span.adds)) continue;
    return err(`hunks ${last.one.n} and ${span.one.n} change the same place`);
  }
  return ok(spans.map(({ one }) => one));
}

function rebuild(file: Lines, placed: readonly Placed[]): string {
  const { lines } = file;
  const ends = lineEndsOf(file);
  const asWritten = ends === 'none' || endsAgree(file, placed);
  const out: string[] = [];
  let next = 0;
  let ended = file.ended;
  const keepTo = (to: number): void => {
    for (; next < to; next++) out.push(lines[next] ?? '');
  };
  const add = (text: string): void => {
    // The last line of the file was not ended, and now is.
    if (next === lines.length && next > 0 && !file.ended && ends === 'crlf' && out.at(-1) === lines.at(-1)) {
      out[out.length - 1] = withCr(out.at(-1) ?? '', true);
    }
    const neighbour = out.at(-1) ?? lines[next] ?? '';
    out.push(asWritten ? text : withCr(text, ends === 'crlf' || (ends === 'mixed' && neighbour.endsWith('\r'))));
  };
  for (const { hunk, at } of placed) {
    let i = at;
    for (const { kind, text } of hunk.lines) {
      if (kind === 'add') {
        keepTo(i);
        add(text);
        continue;
      }
      if (kind === 'remove') {
        keepTo(i);
        next = i + 1;
      }
      i++;
    }
    if (i === lines.length) ended = endedAfter(hunk, file);
  }
  keepTo(lines.length);
  if (!ended && !asWritten && out.length > 0) out[out.length - 1] = withCr(out.at(-1) ?? '', false);
  return textOf({ lines: out, ended });
}

function withCr(line: string, cr: boolean): string {
  let end = line.length;
  while (line.charAt(end - 1) === '\r') end--;
  return line.slice(0, end) + (cr ? '\r' : '');
}

/** Whether the diff tells `\r` where the file has it: then it also means it where it adds a line. */
function endsAgree({ lines, ended }: Lines, placed: readonly Placed[]): boolean {
  const sure = ended ? lines.length : lines.length - 1;
  let seen = 0;
  for (const { at, old } of placed) {
    for (const [i, line] of old.entries()) {
      if (at + i >= sure) continue;
      seen++;
      if (line.endsWith('\r') !== lines[at + i]?.endsWith('\r')) return false;
    }
  }
  return seen > 0;
}

/** For a hunk that reaches the end of the file. What it says about the old end must be true for what it says about the new one to count. */
function endedAfter({ lines }: Hunk, file: Lines): boolean {
  const open = (side: 'add' | 'remove'): boolean =>
    lines.findLast(({ kind }) => kind === side || kind === 'keep')?.noNewline === true;
  const [before, after] = [open('remove'), open('add')];
  if (before && file.ended && file.lines.length > 0) return file.ended;
  if (after) return false;
  return before ? true : file.ended;
}
