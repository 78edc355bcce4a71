// Says where JSON.parse stumbled. Engines word their errors differently, and some quote the input in place of a position, so the
// text is walked once more; only the sender of bad JSON pays for it. Depth is bounded before, so recursion is safe here.

/** Characters that are looked through: half a second of somebody else's time is too much for a better message. */
const maxLook = 100_000;
/** What ends at the limit may look broken for want of the rest; no escape or word is longer. */
const longestToken = 6;

/** Half a sentence about the first fault: `is not JSON: it has "}" at character 12 in labels.team where a value was expected`. */
export function describeFault(text: string): string {
  if (/^[ \t\n\r]*$/.test(text)) return 'is empty where JSON was expected';
  const fault = findFault(text.slice(0, maxLook));
  if (fault === undefined) return 'is not JSON';
  if (text.length > maxLook && fault.at >= maxLook - longestToken) {
    return `is not JSON: something is wrong after character ${maxLook - longestToken}`;
  }
  const seen = fault.at >= text.length ? 'ends' : `has ${JSON.stringify(text.charAt(fault.at))}`;
  const where = fault.path.length === 0 ? '' : ` in ${pathText(fault.path)}`;
  return `is not JSON: it ${seen} at character ${fault.at}${where} where ${fault.expected} was expected`;
}

interface Fault {
  readonly at: number;
  readonly expected: string;
  readonly path: readonly (string | number)[];
}

function findFault(text: string): Fault | undefined {
  let at = 0;
  let expected = '';
  const path: (string | number)[] = [];
  const fail = (what: string): false => {
    expected = what;
    return false;
  };
  const space = (): void => {
    while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at++;
  };
  /** What stands next, blanks skipped; empty at the end. */
  const next = (): string => {
    space();
    return text.charAt(at);
  };

  const string = (): boolean => {
    for (at++; ; at++) {
      const c = text.charAt(at);
      if (c === '') return fail('a closing quote');
      if (c < ' ') return fail('an escape in place of a control character');
      if (c === '"') break;
      if (c !== '\\') continue;
      if (/^\\u[0-9A-Fa-f]{4}$/.test(text.slice(at, at + 6))) at += 5;
      else if (/^\\["\\/bfnrt]$/.test(text.slice(at, at + 2))) at++;
      else return fail('an escape sequence');
    }
    at++;
    return true;
  };
  const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
  const value = (): boolean => {
    const c = next();
    if (c === '{') return items('}', member);
    if (c === '[') return items(']', value);
    if (c === '"') return string();
    scalar.lastIndex = at;
    if (!scalar.test(text)) return fail('a value');
    at = scalar.lastIndex;
    return true;
  };
  const member = (): boolean => {
    if (next() !== '"') return fail('a name in double quotes');
    const begin = at;
    if (!string()) return false;
    path[path.length - 1] = JSON.parse(text.slice(begin, at)) as string;
    if (next() !== ':') return fail('a colon');
    at++;
    return value();
  };
  const items = (close: ']' | '}', item: () => boolean): boolean => {
    at++;
    path.push(close === ']' ? 0 : '');
    for (let i = 0; ; i++) {
      if (i === 0 && next() === close) break;
      if (close === ']') path[path.length - 1] = i;
      if (!item()) return false;
      const c = next();
      if (c === close) break;
      if (c !== ',') return fail(`a comma or ${close}`);
      at++;
    }
    at++;
    path.pop();
    return true;
  };

  if (value() && next() !== '') fail('nothing more');
  return expected === '' ? undefined : { at, expected, path };
}

function pathText(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : text === '' ? part : `.${part}`;
  if (text === '') return 'an object';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
