// Outlines by tree-sitter. The grammars' bytes are handed in, so it runs wherever WebAssembly does. A parser is counted in steps
// and not in milliseconds, so that the same bytes give the same outline on a busy machine; the clock is for what no count foresaw.
import { Language, type Node, Parser, Query } from 'web-tree-sitter';
import { type Clock, systemClock } from '#core/system.ts';
import { grammarOf } from './languages.ts';
import { type Defined, type DefinitionKind, definitionKinds, type Outline, type Outliner } from './outline.ts';

/** Calls of a parser's progress (one in 100 operations) before it gives up; a megabyte of ordinary code takes a tenth of them. */
const MAX_STEPS = 100_000;

/** Milliseconds for one file, beside a few hundredths of that for a long one of ordinary code. */
const MAX_MS = 2_000;

/** Open brackets. The query takes time by the square of them where a file never closes what it opens. */
const MAX_DEPTH = 400;

/** Levels of the tree at which a definition may begin: twelve are classes in functions in namespaces, and half the time. */
const MAX_START_DEPTH = 12;

/** Definitions and imports of one file; what comes after them belongs to its text alone. */
const MAX_DEFINITIONS = 20_000;
const MAX_NAME = 200;

interface Reader {
  readonly parser: Parser;
  readonly query: Query;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Makes an outliner of the languages whose grammars are given, by name of the language. `Parser.init` must have run. */
export async function createTreeOutliner(
  bytes: ReadonlyMap<string, Uint8Array>,
  clock: Pick<Clock, 'monotonic'> = systemClock,
): Promise<Outliner> {
  const languages = new Map<string, Language>();
  for (const [name, wasm] of bytes) languages.set(name, await Language.load(wasm));
  const readers = new Map<string, Reader>();
  return (language, text) => {
    if (isDeep(text)) return undefined;
    const reader = readers.get(language) ?? openReader(clock, language, languages.get(language));
    if (reader === undefined) return undefined;
    readers.set(language, reader);
    try {
      return outline(reader, text);
    } catch {
      // Out of memory inside the parser, or worse: that parser is not used again, and the file is read by lines.
      readers.delete(language);
      return undefined;
    }
  };
}

function openReader(clock: Reader['clock'], name: string, language: Language | undefined): Reader | undefined {
  const grammar = grammarOf(name);
  if (language === undefined || grammar === undefined) return undefined;
  return { parser: new Parser().setLanguage(language), query: new Query(language, grammar.query), clock };
}

function outline({ parser, query, clock }: Reader, text: string): Outline | undefined {
  const end = clock.monotonic() + MAX_MS;
  let steps = 0;
  let stopped = false;
  const progressCallback = (): boolean => {
    stopped ||= ++steps > MAX_STEPS || clock.monotonic() > end;
    return stopped;
  };
  const tree = parser.parse(text, null, { progressCallback });
  if (tree === null) {
    // A parser that was stopped goes on where it was unless it is told not to.
    parser.reset();
    return undefined;
  }
  try {
    const found: Found = { definitions: [], imports: new Set() };
    for (const match of query.matches(tree.rootNode, { progressCallback, maxStartDepth: MAX_START_DEPTH })) {
      take(found, match.captures);
      if (found.definitions.length >= MAX_DEFINITIONS) break;
    }
    if (stopped) return undefined;
    found.definitions.sort((a, b) => a.first - b.first || b.last - a.last);
    return { definitions: found.definitions, imports: [...found.imports] };
  } finally {
    tree.delete();
  }
}

function isDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 40 || code === 91 || code === 123) {
      if (++depth > MAX_DEPTH) return true;
    } else if (depth > 0 && (code === 41 || code === 93 || code === 125)) depth--;
  }
  return false;
}

interface Found {
  readonly definitions: Defined[];
  readonly imports: Set<string>;
}

const kinds = new Map<string, DefinitionKind>(definitionKinds.map((kind) => [kind, kind]));

function take(found: Found, captures: readonly { readonly name: string; readonly node: Node }[]): void {
  let name: string | undefined;
  let around: { kind: DefinitionKind; node: Node } | undefined;
  for (const capture of captures) {
    const kind = kinds.get(capture.name);
    if (kind !== undefined) around = { kind, node: capture.node };
    else if (capture.name === 'name') name = capture.node.text.slice(0, MAX_NAME);
    else if (capture.name === 'import')
      found.imports.add(capture.node.text.slice(0, MAX_NAME).replaceAll(/["'`<>]/g, ''));
  }
  if (name === undefined || around === undefined) return;
  const { node, kind } = around;
  found.definitions.push({ name, kind, first: node.startPosition.row, last: node.endPosition.row });
}
