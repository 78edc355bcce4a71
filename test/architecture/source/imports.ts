// Finds what one file imports and which globals it names, from its tokens. It does not resolve anything.

import type { Token } from './tokens.ts';

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Erased before running: `import type`, `export type ... from`. */
  readonly typeOnly: boolean;
  /** `export ... from`. */
  readonly reexport: boolean;
}

/** Every import, re-export and dynamic import. A computed dynamic import comes back with the specifier `(computed)`. */
export function importsOf(tokens: readonly Token[]): Import[] {
  const found: Import[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word' || is(tokens[i - 1], '.')) continue;
    if (token.text === 'import') {
      const hit = importAt(tokens, i);
      if (hit !== undefined) found.push(hit);
    }
    if (token.text === 'export') {
      const typeOnly = is(tokens[i + 1], 'type');
      const first = i + (typeOnly ? 2 : 1);
      if (!is(tokens[first], '*') && !is(tokens[first], '{')) continue;
      const specifier = fromClause(tokens, first);
      if (specifier !== undefined) found.push({ specifier, line: token.line, typeOnly, reexport: true });
    }
  }
  return found;
}

function importAt(tokens: readonly Token[], i: number): Import | undefined {
  const line = tokens[i]?.line ?? 0;
  const next = tokens[i + 1];
  if (next === undefined || is(next, '.') || is(next, ':')) return undefined;
  if (next.kind === 'string') return { specifier: next.text, line, typeOnly: false, reexport: false };
  if (is(next, '(')) {
    const argument = tokens[i + 2];
    const plain = argument?.kind === 'string' && (is(tokens[i + 3], ')') || is(tokens[i + 3], ','));
    const specifier = plain ? argument.text : '(computed)';
    return { specifier, line, typeOnly: false, reexport: false };
  }
  // `import type from 'x'` imports a value named type; `import type X from`, `import type {` do not.
  const typeOnly = is(next, 'type') && !is(tokens[i + 2], 'from') && !is(tokens[i + 2], ',');
  const specifier = fromClause(tokens, i + 1);
  return specifier === undefined ? undefined : { specifier, line, typeOnly, reexport: false };
}

/** The string after the `from` that ends the clause beginning at `first`; nothing when the statement ends before. */
function fromClause(tokens: readonly Token[], first: number): string | undefined {
  let depth = 0;
  for (let i = first; i < tokens.length; i++) {
    const token = tokens[i];
    if (is(token, '{')) depth++;
    else if (is(token, '}')) depth--;
    else if (is(token, 'from') && depth === 0 && tokens[i + 1]?.kind === 'string') return tokens[i + 1]?.text;
    else if (depth === 0 && token?.kind === 'sign' && !is(token, '*') && !is(token, ',')) return undefined;
    // After the closing brace only `from` may follow; `export { a }` without it names something local.
    if (is(token, '}') && depth === 0 && !is(tokens[i + 1], 'from')) return undefined;
  }
  return undefined;
}

/** Lines at which a word stands free: not a member (`x.name`), not a key (`{ name: ... }`, `{ name?: ... }`). */
export function usesOf(tokens: readonly Token[], word: string): number[] {
  const found: number[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word' || token.text !== word) continue;
    const before = tokens[i - 1];
    // `...name` is three dots here, and not a member.
    if (is(before, '.') && !(is(tokens[i - 2], '.') && is(tokens[i - 3], '.'))) continue;
    const colon = is(tokens[i + 1], '?') ? i + 2 : i + 1;
    const key = is(tokens[colon], ':') && (is(before, '{') || is(before, ',') || is(before, ';'));
    if (!key) found.push(token.line);
  }
  return found;
}

/** Lines at which these tokens follow one another, such as `Date`, `.`, `now`. */
export function sequence(tokens: readonly Token[], ...texts: string[]): number[] {
  const starts = (i: number): boolean => texts.every((text, n) => is(tokens[i + n], text));
  return tokens.flatMap((token, i) => (starts(i) ? [token.line] : []));
}

function is(token: Token | undefined, text: string): boolean {
  return token !== undefined && token.kind !== 'string' && token.text === text;
}
