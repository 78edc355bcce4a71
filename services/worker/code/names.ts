// The names in the head of a diff: which file it means, in all the ways in which that is written.

const strict = new TextDecoder('utf-8', { fatal: true });

/** Whether a name after `---` or `+++` is the file's: with or without a prefix such as `a/`, in quotes, with a time behind it. */
export function isNameOf(written: string, path: string): boolean {
  const bare = written.trimEnd();
  const forms = [bare, bare.replace(/\t.*$/, ''), bare.replace(/\s+\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*$/, '')];
  return forms.some((form) => isPath(unquoted(form), path));
}

export const isNothing = (written: string): boolean => /^"?\/dev\/null"?(\s|$)/.test(written);

/** Whether what follows `diff --git` names the file twice. */
export function isPairOf(written: string, path: string): boolean {
  const bare = written.trimEnd();
  for (let at = bare.indexOf(' '); at >= 0; at = bare.indexOf(' ', at + 1)) {
    const [first, second] = [bare.slice(0, at), bare.slice(at + 1)];
    const isSame = (name: string): boolean => isNameOf(name, path) || isNothing(name);
    if (isSame(first) && isSame(second)) return true;
  }
  return false;
}

/** Prefixes as git writes them: `a/` and `b/`, or what `diff.mnemonicPrefix` makes of them. */
function isPath(name: string, path: string): boolean {
  if (name === path) return true;
  const plain = name.replace(/^\.\//, '');
  return plain === path || plain.replace(/^[abciwo]\/(\.\/)?/, '') === path;
}

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
