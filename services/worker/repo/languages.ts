// Names of languages by file name. `language` of a scan is the original's table and nothing else, because planners and reviewers made
// for it choose by these names; what is `unknown` there still gets a name for people, in reports.

const extensions: Readonly<Record<string, string>> = {
  ...{ go: 'go', ts: 'typescript', tsx: 'typescript', js: 'javascript', jsx: 'javascript', py: 'python', rs: 'rust' },
  ...{ java: 'java', cs: 'csharp', rb: 'ruby', php: 'php', c: 'c', h: 'c' },
  ...{ cc: 'cpp', cpp: 'cpp', cxx: 'cpp', hpp: 'cpp', hxx: 'cpp' },
};

const otherNames: Readonly<Record<string, string>> = {
  ...{ sh: 'shell', bash: 'shell', zsh: 'shell', ps1: 'powershell', mjs: 'javascript', cjs: 'javascript' },
  ...{ mts: 'typescript', cts: 'typescript', json: 'json', yaml: 'yaml', yml: 'yaml', toml: 'toml', ini: 'ini' },
  ...{ cfg: 'ini', conf: 'ini', md: 'markdown', txt: 'text', sql: 'sql', proto: 'protobuf', html: 'html', css: 'css' },
  ...{ kt: 'kotlin', swift: 'swift', scala: 'scala', lua: 'lua', xml: 'xml', graphql: 'graphql', tf: 'terraform' },
};

/** The part after the last dot in lower case; empty without one, and for names like `.profile`. */
function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase();
}

function lookUp(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** The language of a file as scans tell it: one of the original's, or `unknown`. */
export function languageOf(path: string): string {
  return lookUp(extensions, extensionOf(path)) ?? 'unknown';
}

/** What a report calls it: the language, else what the name tells, else `other`. */
export function displayLanguage(file: { readonly path: string; readonly language: string }): string {
  if (file.language !== 'unknown' && file.language !== '') return file.language;
  return lookUp(otherNames, extensionOf(file.path)) ?? 'other';
}
