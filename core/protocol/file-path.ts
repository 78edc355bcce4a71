// The path of a file in a repository, as jobs name it: relative, with `/`, and nothing that another system could read in another way.

/** The longest path, in UTF-16 units. */
const maxLength = 1024;
/** The longest name between two slashes, in bytes: most file systems take no longer one. */
const maxNameBytes = 255;

/** What is wrong with it, as words that follow the field's name; undefined when nothing is. */
export function filePathProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (path.length > maxLength) return `is longer than ${maxLength} characters`;
  if (!path.isWellFormed()) return 'holds half of a character (a lone surrogate)';
  if (/[\p{Cc}\u2028\u2029]/u.test(path)) return 'holds a control character';
  if (path.includes('\\')) return 'holds a backslash; folders are separated by "/"';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'must be relative';
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..')) {
    return 'must not hold empty parts, "." or ".."';
  }
  if (names.some(isGitFolder)) return 'must not lead into ".git"';
  if (names.some((name) => new TextEncoder().encode(name).length > maxNameBytes)) {
    return `holds a name of more than ${maxNameBytes} bytes`;
  }
  return undefined;
}

/** Also the names that some file systems take for it: other case, dots and blanks at the end, the short name, invisible characters. */
function isGitFolder(name: string): boolean {
  const plain = name
    .normalize('NFKC')
    .replaceAll(/\p{Cf}/gu, '')
    .toLowerCase();
  return /^(\.git|git~\d+)[. ]*(:.*)?$/.test(plain);
}
