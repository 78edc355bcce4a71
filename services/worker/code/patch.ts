// From what a model proposes to the file that it means.
import { err, type Result } from '#core/result.ts';
import type { Proposal } from './answer.ts';
import { applyHunks } from './place.ts';
import { linesOf } from './text.ts';
import { diffLines, type Parsed, parseDiff, type Reading } from './unified.ts';
import { wholeFile } from './whole-file.ts';

export interface CodeFile {
  readonly path: string;
  readonly original: string;
}

/** The new file; or what is wrong with the proposal, in words for the model. */
export function fileAfter(proposal: Proposal, file: CodeFile): Result<string, string> {
  if (proposal.diff !== undefined) return afterDiff(proposal.diff, file);
  if (proposal.file === undefined) return err('the patch is empty');
  const { content, isSaid } = proposal.file;
  if (!content.isWellFormed() || content.includes('\0')) return err('the file in it holds characters that are no text');
  return wholeFile(file, content, isSaid);
}

function afterDiff(diff: string, { path, original }: CodeFile): Result<string, string> {
  const lines = diffLines(diff);
  let known: ReadonlySet<string> | undefined; // most diffs raise no such question
  const has = (line: string): boolean =>
    (known ??= new Set(linesOf(original).lines.map((one) => one.trimEnd()))).has(line.trimEnd());
  const read = (reading: Reading): Omit<Parsed, 'hunks'> & { readonly result: Result<string, string> } => {
    const { hunks, ...about } = parseDiff(lines, reading, { path, has });
    return { result: hunks.ok ? applyHunks(original, hunks.value) : hunks, ...about };
  };
  // As git reads it, and when its counts lead nowhere by the marks of the lines. Where that could make code of words, it has a veto and no more.
  const { result, trailed } = read('counted');
  if (result.ok ? !trailed : trailed) return result;
  const { result: other, doubtful } = read('marked');
  if (trailed && result.ok) return other.ok && other.value !== result.value ? err(mayBeWords('its last hunk')) : result;
  return other.ok && doubtful ? err(mayBeWords('a blank line of a hunk')) : other;
}

const mayBeWords = (what: string): string =>
  `the lines behind ${what} may be words or lines of it; give the right counts and nothing behind them`;
