// Cuts TypeScript source into words, strings and signs, without comments, so that the rules look at code and never at prose.
// It is no parser: it knows just enough to tell a regular expression from a division and to look inside template holes.

export interface Token {
  readonly kind: 'word' | 'string' | 'sign';
  /** A word or sign as written; a string without its quotes (escapes as written); a template without holes is a string too. */
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$]*/uy;
const NUMBER = /\.?\d[\w.]*/y;
const STRING = /'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const SKIP = /\s+|\/\/[^\n]*|\/\*[^]*?\*\//y;
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'delete',
  'void',
  'throw',
  'new',
  'else',
  'await',
]);

/** Throws when the text ends inside a string, a template or a comment: then the cutter lost its way, and no rule may pass. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  /** For each open `${`, the number of braces open inside it. */
  const holes: number[] = [];
  let at = text.startsWith('#!') ? Math.max(0, text.indexOf('\n')) : 0;
  let line = 1;

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const hit = pattern.exec(text)?.[0];
    if (hit !== undefined) at += hit.length;
    return hit;
  };
  const push = (kind: Token['kind'], raw: string, value = raw): void => {
    tokens.push({ kind, text: value, line });
    line += lines(raw);
  };
  const template = (): void => {
    const start = at;
    for (; at < text.length; at++) {
      if (text[at] === '\\') at++;
      else if (text[at] === '`') return push('string', text.slice(start, at++));
      else if (text.startsWith('${', at)) {
        push('sign', text.slice(start, at), '`');
        at += 2;
        holes.push(0);
        return;
      }
    }
    throw new Error(`line ${line}: template without end`);
  };

  while (at < text.length) {
    const skipped = take(SKIP);
    if (skipped !== undefined) {
      line += lines(skipped);
      continue;
    }
    const word = take(WORD);
    if (word !== undefined) {
      push('word', word);
      continue;
    }
    const number = take(NUMBER);
    if (number !== undefined) {
      push('sign', number);
      continue;
    }
    const sign = text[at] as string;
    if (sign === "'" || sign === '"') {
      const string = take(STRING);
      if (string === undefined) throw new Error(`line ${line}: string without end`);
      push('string', string, string.slice(1, -1));
      continue;
    }
    if (sign === '/' && mayStartRegex(tokens.at(-1))) {
      const regex = take(REGEX);
      if (regex !== undefined) {
        push('sign', regex, '/regex/');
        continue;
      }
    }
    if (text.startsWith('/*', at)) throw new Error(`line ${line}: comment without end`);
    at++;
    if (sign === '`') {
      template();
      continue;
    }
    const open = holes.length - 1;
    if (sign === '{' && open >= 0) holes[open] = (holes[open] ?? 0) + 1;
    if (sign === '}' && open >= 0) {
      if (holes[open] === 0) {
        holes.pop();
        template();
        continue;
      }
      holes[open] = (holes[open] ?? 0) - 1;
    }
    push('sign', sign);
  }
  if (holes.length > 0) throw new Error(`line ${line}: template without end`);
  return tokens;
}

function mayStartRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === 'string') return false;
  if (before.kind === 'word') return BEFORE_REGEX.has(before.text);
  return !/^[)\]}\d.]/.test(before.text) && before.text !== '/regex/';
}

function lines(text: string): number {
  return text.split('\n').length - 1;
}
