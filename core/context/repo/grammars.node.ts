// The grammars that npm brought, read from its folder when the process starts.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Parser } from 'web-tree-sitter';
import { grammarOf, parsedLanguages } from './languages.ts';
import type { Outliner } from './outline.ts';
import { createTreeOutliner } from './tree-outline.ts';

/** An outliner of `languages`: every one that has a grammar unless some are named. Reads 20 MB, so once in a process. */
export async function loadOutliner(languages: readonly string[] = parsedLanguages): Promise<Outliner> {
  const find = createRequire(import.meta.url);
  await Parser.init();
  const bytes = new Map<string, Uint8Array>();
  for (const language of languages) {
    const name = grammarOf(language)?.grammar;
    if (name === undefined) continue;
    bytes.set(language, await readFile(find.resolve(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${name}.wasm`)));
  }
  return createTreeOutliner(bytes);
}
