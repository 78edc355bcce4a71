// What a chunker needs to know of a file's syntax: what it defines, over which lines, and what it imports. The parser that tells it
// is in tree-outline.ts; headings of a text are found here.

export type DefinitionKind = 'function' | 'method' | 'class' | 'interface' | 'type' | 'constant' | 'module' | 'heading';

/** In the order of their numbers in a stored index: append only. */
export const definitionKinds: readonly DefinitionKind[] = [
  'function',
  'method',
  'class',
  'interface',
  'type',
  'constant',
  'module',
  'heading',
];

export interface Defined {
  readonly name: string;
  readonly kind: DefinitionKind;
  /** First and last line, from 0. */
  readonly first: number;
  readonly last: number;
}

export interface Outline {
  /** In the order of their first lines; an outer one before what it holds. */
  readonly definitions: readonly Defined[];
  /** Names of modules as the file writes them, each once. */
  readonly imports: readonly string[];
}

/** Reads syntax. `undefined` when it does not know the language, or gave up on the file. */
export type Outliner = (language: string, text: string) => Outline | undefined;

export const noOutline: Outline = { definitions: [], imports: [] };

/** Sections of Markdown: a heading reaches to the next one of its level or above. Fenced code has no headings. */
export function headings(lines: readonly string[]): Outline {
  const definitions: { name: string; kind: DefinitionKind; first: number; last: number; level: number }[] = [];
  const open: (typeof definitions)[number][] = [];
  let fence = '';
  for (const [at, line] of lines.entries()) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1] ?? '';
    if (mark !== '' && (fence === '' || mark.startsWith(fence))) fence = fence === '' ? mark : '';
    const [, hashes, name] = fence === '' ? (/^(#{1,6})[ \t]+(\S.*?)[ \t#\r]*$/.exec(line) ?? []) : [];
    if (hashes === undefined || name === undefined) continue;
    while ((open.at(-1)?.level ?? 0) >= hashes.length) (open.pop() as (typeof open)[number]).last = at - 1;
    const section = { name, kind: 'heading' as const, first: at, last: lines.length - 1, level: hashes.length };
    definitions.push(section);
    open.push(section);
  }
  return { definitions: definitions.map(({ level: _, ...section }) => section), imports: [] };
}
