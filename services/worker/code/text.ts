// A file as lines, and back. A line keeps its `\r`: what ends a line is `\n` alone, as git has it.

export interface Lines {
  readonly lines: readonly string[];
  /** Whether the last line is ended. An empty file counts as ended. */
  readonly ended: boolean;
}

/** How the ended lines end: all the same way, or not, or there is none. */
export type LineEnds = 'lf' | 'crlf' | 'mixed' | 'none';

export function linesOf(text: string): Lines {
  if (text === '') return { lines: [], ended: true };
  const lines = text.split('\n');
  const ended = lines.at(-1) === '';
  if (ended) lines.pop();
  return { lines, ended };
}

export function textOf({ lines, ended }: Lines): string {
  return lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
}

export function lineEndsOf({ lines, ended }: Lines): LineEnds {
  const all = ended ? lines.length : lines.length - 1;
  if (all <= 0) return 'none';
  let crlf = 0;
  for (let i = 0; i < all; i++) if (lines[i]?.endsWith('\r') === true) crlf++;
  if (crlf === 0) return 'lf';
  return crlf === all ? 'crlf' : 'mixed';
}

/** A line as an error shows it. */
export function shown(line: string): string {
  const flat = line.trimEnd();
  return JSON.stringify(flat.length > 100 ? `${flat.slice(0, 100)}...` : flat);
}
