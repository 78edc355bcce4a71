// Which files a repository review looks at when nobody says otherwise: the original's lists, in its order.
// How a pattern matches is the scanner's business.

const extensions = [
  ...['go', 'ts', 'tsx', 'js', 'jsx', 'py', 'rs', 'java', 'cs', 'rb', 'php', 'c', 'h', 'cpp', 'cxx', 'hpp', 'hxx'],
  ...['sh', 'bash', 'zsh', 'ps1', 'json', 'yaml', 'yml', 'toml', 'ini', 'cfg', 'conf', 'md', 'txt', 'sql'],
];

const folders = ['vendor', 'node_modules', 'dist', '.git', 'build', 'bin', 'obj', 'target', '.venv', 'venv'];

export const defaultIncludeGlobs: readonly string[] = extensions.map((extension) => `**/*.${extension}`);
export const defaultExcludeGlobs: readonly string[] = folders.map((folder) => `${folder}/**`);
