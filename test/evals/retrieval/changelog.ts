// Lines of a changelog by version, as a person would say them: without links, numbers of issues and hashes of commits.

/** The lines of each version, in the order of the file. A version that is told of twice keeps its first lines. */
export function changesByVersion(text: string): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, version] = /^#{0,3} *\[?v?(\d+\.\d+\.\d+)\b/.exec(line) ?? [];
    if (version !== undefined) {
      lines = [];
      if (!versions.has(version)) versions.set(version, lines);
      continue;
    }
    // Names of people are no question.
    if (/^#+ .*contributors/i.test(line)) lines = [];
    const [, said = ''] = /^ {0,2}[*+-] +(.+)$/.exec(line) ?? [];
    const words = plainWords(said);
    if (words !== '' && !/^(<|!\[)/.test(said)) lines.push(words);
  }
  return versions;
}

/** A line of Markdown without what points somewhere else. */
export function plainWords(line: string): string {
  return line
    .replaceAll(/\(?\[[^\]]*\]\(https?:[^)]*\)\)?/g, (link) =>
      /#\d|[0-9a-f]{7}|@/.test(link.split('](')[0] ?? '') ? '' : link,
    )
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/https?:\/\/\S+/g, '')
    .replaceAll(/\(?(?:fixes|closes|refs|see)? *#\d+\)?/gi, '')
    .replaceAll(/[*`]/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
