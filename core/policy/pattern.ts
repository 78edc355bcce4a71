// Topic patterns, exactly as Go's path.Match reads them, because policies written for the original must mean the same here:
// `*` is any run without `/` (dots included, so `job.*` covers `job.a.b`), `?` one character that is not `/`, `[a-z]` and
// `[^a-z]` one character of a class, a backslash takes the next character as it is. Not a glob library: those read `**` and `{}`.
import { err, ok, type Result } from '#core/result.ts';

/** A pattern that has been read; make one with `parsePattern`. */
export interface Pattern {
  readonly text: string;
  readonly terms: readonly Term[];
}

type Term =
  | { readonly kind: 'run' }
  | { readonly kind: 'any' }
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/**
 * Reads a pattern, or says what is wrong with it. Go's Match reports a malformed pattern as an error that the original
 * dropped, so that a deny rule with a slip in it denied nothing; here it is refused when the policy is read.
 */
export function parsePattern(text: string): Result<Pattern, string> {
  if (text.trim() === '') return err('is empty, and would match nothing');
  const chars = Array.from(text.trim()); // code points, as Go's runes
  const terms: Term[] = [];
  let at = 0;
  while (at < chars.length) {
    const char = chars[at] as string;
    at++;
    if (char === '*') terms.push({ kind: 'run' });
    else if (char === '?') terms.push({ kind: 'any' });
    else if (char === '[') {
      const read = readClass(chars, at);
      if (!read.ok) return read;
      terms.push(read.value.term);
      at = read.value.next;
    } else if (char === '\\') {
      const escaped = chars[at];
      if (escaped === undefined) return err('ends with a backslash that escapes nothing');
      terms.push({ kind: 'char', char: escaped });
      at++;
    } else terms.push({ kind: 'char', char });
  }
  return ok({ text, terms });
}

function readClass(chars: readonly string[], start: number): Result<{ term: Term; next: number }, string> {
  let at = start;
  const negated = chars[at] === '^';
  if (negated) at++;
  const ranges: (readonly [string, string])[] = [];
  /** One character of the class; undefined for what may not stand here unescaped, and for the end of the pattern. */
  const next = (): string | undefined => {
    const char = chars[at++];
    if (char === '-' || char === ']') return undefined;
    return char === '\\' ? chars[at++] : char;
  };
  while (chars[at] !== ']' || ranges.length === 0) {
    if (at >= chars.length) return err('has a [ without a ]');
    const from = next();
    if (from === undefined) return err('has a class that is empty, or a - or ] in it without a backslash');
    let to: string | undefined = from;
    if (chars[at] === '-') {
      at++;
      to = next();
      if (to === undefined) return err('has a class with a range that does not end');
    }
    ranges.push([from, to]);
  }
  return ok({ term: { kind: 'class', negated, ranges }, next: at + 1 });
}

/** Whether the whole of `text` fits the pattern. Takes time in proportion to the product of their lengths at most. */
export function matches(pattern: Pattern, text: string): boolean {
  const { terms } = pattern;
  const chars = Array.from(text);
  let term = 0;
  let at = 0;
  // Where to go on when a term does not fit: behind the last `*`, with one more character in its run. Earlier runs are never
  // reopened. Go does the same.
  let retryTerm = -1;
  let retryAt = 0;
  while (at < chars.length || term < terms.length) {
    const current = terms[term];
    if (current?.kind === 'run') {
      retryTerm = ++term;
      retryAt = at;
      continue;
    }
    const char = chars[at];
    if (current !== undefined && char !== undefined && fits(current, char)) {
      term++;
      at++;
      continue;
    }
    if (retryTerm === -1 || retryAt >= chars.length || chars[retryAt] === '/') return false;
    at = ++retryAt;
    term = retryTerm;
  }
  return true;
}

function fits(term: Term, char: string): boolean {
  switch (term.kind) {
    case 'run':
      return false; // dealt with by the caller
    case 'any':
      return char !== '/';
    case 'char':
      return char === term.char;
    case 'class':
      return inRanges(term.ranges, char) !== term.negated;
  }
}

function inRanges(ranges: readonly (readonly [string, string])[], char: string): boolean {
  const code = char.codePointAt(0) as number;
  return ranges.some(([from, to]) => (from.codePointAt(0) as number) <= code && code <= (to.codePointAt(0) as number));
}
