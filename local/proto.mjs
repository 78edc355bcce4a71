// `npm run proto`: formats and lints the .proto files, generates proto/gen, and looks for changes that would break what is out
// there. With `--check` it writes nothing and fails where something is not as it would have written it. Never fetches anything.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const protoDir = join(root, 'proto');
const genDir = join(protoDir, 'gen');
const bin = join(root, 'node_modules', '.bin');
const unknown = process.argv.slice(2).filter((arg) => arg !== '--check');
if (unknown.length > 0) {
  console.error(`cortex: ${unknown.join(' ')}: unknown argument (known: --check)`);
  process.exit(2);
}
const check = process.argv.includes('--check');
const problems = [];

// The plugin and its Node are found on PATH: ours come first. The cache stays inside the checkout, as HOME may not be writable.
const env = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
  BUF_CACHE_DIR: join(root, 'node_modules', '.cache', 'buf'),
};

function buf(...args) {
  return run(process.execPath, [join(root, 'node_modules', '@bufbuild', 'buf', 'bin', 'buf'), ...args], protoDir);
}

function git(...args) {
  return run('git', args, root);
}

function run(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (done.error !== undefined) return { ok: false, output: `${command}: ${done.error.message}` };
  return { ok: done.status === 0, output: `${done.stdout}${done.stderr}`.trim() };
}

function report(step, problem) {
  if (problem === '') {
    console.log(`proto ${step}: ok`);
  } else {
    console.log(`proto ${step}: failed\n${problem}`);
    problems.push(step);
  }
}

function verdict(done) {
  return done.ok ? '' : done.output || 'failed without a word';
}

/** Names every file that differs between what is committed and what was generated. */
function differences(generated) {
  const fresh = filesIn(generated);
  const present = existsSync(genDir) ? filesIn(genDir) : [];
  const lines = [];
  for (const file of new Set([...fresh, ...present])) {
    const name = `proto/gen/${file}`;
    if (!present.includes(file)) lines.push(`${name} is missing`);
    else if (!fresh.includes(file)) lines.push(`${name} is left over`);
    else if (!readFileSync(join(genDir, file)).equals(readFileSync(join(generated, file))))
      lines.push(`${name} differs`);
  }
  return lines.length === 0 ? '' : `${lines.sort().join('\n')}\nrun "npm run proto" and commit what it writes`;
}

function filesIn(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split('\\').join('/'));
}

function generate(temporary) {
  if (!check) return verdict(buf('generate'));
  // The template's `out` is relative to --output, so the same template writes somewhere else.
  const done = buf('generate', '--output', temporary);
  return done.ok ? differences(join(temporary, 'gen')) : verdict(done);
}

/** The commits that the protos must not break: main, and what was before it when the checkout is main. */
function baselines() {
  const commit = (name) => {
    const found = git('rev-parse', '--verify', '--quiet', `${name}^{commit}`);
    return found.ok ? found.output : undefined;
  };
  const main = commit('refs/heads/main') ?? commit('refs/remotes/origin/main');
  if (main === undefined) return { skip: 'there is no main branch here to compare with' };
  const wanted = main === commit('HEAD') ? [main, commit(`${main}~1`)] : [main];
  const commits = wanted.filter((id) => id !== undefined && git('cat-file', '-e', `${id}:proto/buf.yaml`).ok);
  return commits.length === 0 ? { skip: 'main has no protocol yet' } : { commits };
}

/** Compares through an archive and not through a clone: that works in shallow clones and in work trees as well. */
function breaking(temporary) {
  const { skip, commits } = baselines();
  if (skip !== undefined) {
    console.log(`proto breaking: skipped, ${skip}`);
    return;
  }
  const lines = [];
  for (const commit of commits) {
    const archive = join(temporary, `${commit}.tar`);
    const packed = git('archive', '--format=tar', `--output=${archive}`, `${commit}:proto`);
    const done = packed.ok ? buf('breaking', '--against', archive) : packed;
    if (!done.ok) lines.push(`against ${commit.slice(0, 12)}:\n${verdict(done)}`);
  }
  report('breaking', lines.join('\n'));
}

const temporary = mkdtempSync(join(tmpdir(), 'cortex-proto-'));
try {
  report('format', verdict(check ? buf('format', '--diff', '--exit-code') : buf('format', '--write')));
  report('lint', verdict(buf('lint')));
  report('generate', generate(temporary));
  breaking(temporary);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
process.exitCode = problems.length === 0 ? 0 : 1;
