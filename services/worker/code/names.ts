// The names in the head of a diff: which file it means, in all the ways in which that is written.

const strict = new TextDecoder('utf-8', { fatal: true });

/** No name of ours is longer, even with every byte of it in octal; and what follows looks at each character more than once. */
const longest = 20_000;

/** Prefixes as git writes them: `a/` and `b/`, or what `diff.mnemonicPrefix` makes of them. */
const prefixes = ['', './', ...['a', 'b', 'c', 'i', 'w', 'o'].map((letter) => `${letter}/`), 'a/./', 'b/./'];

/** Whether a name after `---` or `+++` is the file's: with or without a prefix such as `a/`, in quotes, with a time behind it. */
export function isNameOf(written: string, path: string): boolean {
  if (written.length > longest) return false;
  const bare = written.trimEnd();
  const time = bare.search(/\s\d{4}-\d\d-\d\d[ T]\d\d:\d\d/);
  const tab = bare.indexOf('\t');
  const forms = [bare, ...[time, tab].flatMap((end) => (end < 0 ? [] : [bare.slice(0, end).trimEnd()]))];
  const ours = formsOf(path);
  return forms.some((form) => ours.includes(unquoted(form)));
}

/** `/dev/null`, for a file that is not there. */
export const isNothing = (written: string): boolean => /^"?\/dev\/null"?(\s|$)/.test(written);

/** Whether what follows `diff --git` names the file twice. */
export function isPairOf(written: string, path: string): boolean {
  if (written.length > 2 * longest) return false;
  const bare = written.trimEnd();
  const ours = [...formsOf(path), '/dev/null'];
  const [, first, second] = /^("(?:[^"\\]|\\.)*"|[^"].*?) ("(?:[^"\\]|\\.)*")$/.exec(bare) ?? [];
  if (first !== undefined && second !== undefined)
    return ours.includes(unquoted(first)) && ours.includes(unquoted(second));
  // Without quotes nothing but the names themselves says where the first one ends.
  return ours.some((form) => bare.startsWith(`${form} `) && ours.includes(bare.slice(form.length + 1)));
}

const formsOf = (path: string): readonly string[] => prefixes.map((prefix) => prefix + path);

const escapes: Readonly<Record<string, number>> = {
  ...{ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 },
};

/** What git means by a name in quotes; any other name as it is. */
function unquoted(name: string): string {
  const inner = /^"(.*)"$/s.exec(name)?.[1];
  if (inner === undefined) return name;
  const bytes: number[] = [];
  for (const [part] of inner.matchAll(/\\[0-7]{3}|\\.|[^\\]+/gs)) {
    if (/^\\[0-7]{3}$/.test(part)) bytes.push(Number.parseInt(part.slice(1), 8) & 255);
    else if (part.startsWith('\\')) bytes.push(escapes[part.slice(1)] ?? 63);
    else bytes.push(...new TextEncoder().encode(part));
  }
  try {
    return strict.decode(new Uint8Array(bytes));
  } catch (error) {
    if (error instanceof TypeError) return name; // no text, so no name of ours
    throw error;
  }
}
