// `npm run sample -- NAME`: a known package as a git repository of its own under .cortex/samples, to review something of real size.
// npm fetches it as npm is configured to; its files and its commit are the same everywhere.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { unpackTar } from 'modern-tar/fs';
import { runCommand, Stop } from './bootstrap/stop.mjs';

export interface Sample {
  readonly name: string;
  readonly version: string;
  /** What npm is asked for. */
  readonly spec: string;
  /** Of the archive, as a lockfile writes it. */
  readonly integrity: string;
}

const samples: readonly Sample[] = [
  {
    name: 'rxjs', // 2,277 files
    version: '7.8.2',
    spec: 'rxjs@7.8.2',
    integrity: 'sha512-dhKf903U/PQZY6boNNtAGdWbG85WAbjT/1xYoZIC7FAY0yWapOBQVsVrDl58W86//e1VpMNBtRV4MaXfdMySFA==',
  },
  {
    name: 'date-fns', // 5,136 files
    version: '4.4.0',
    spec: 'date-fns@4.4.0',
    integrity: 'sha512-+1UMbeh68lH1SegH83CGWwpb6OHHbpSgr3+s5Eww5M4CAgswBpoWS0AjTOfEJ33HiYKz1hdj/KTFprzXHmq/6w==',
  },
];

const run = promisify(execFile);

/** The path of the repository below `folder`; makes it unless it is there. Throws Stop when npm or git cannot. */
export async function makeSample(sample: Sample, folder: string): Promise<string> {
  const place = join(folder, `${sample.name}-${sample.version}`);
  if (existsSync(place)) return place;
  mkdirSync(folder, { recursive: true });
  // Beside its place, so that one rename makes it whole: a run that was cut off leaves nothing that looks like a sample.
  const temporary = mkdtempSync(join(folder, '.making-'));
  const repository = join(temporary, 'repository');
  try {
    await pipeline(
      createReadStream(await fetchArchive(sample, temporary)),
      createGunzip(),
      unpackTar(repository, { strip: 1, fmode: 0o644, dmode: 0o755 }),
    );
    await commit(repository, `${sample.name} ${sample.version}`);
    if (!existsSync(place)) renameSync(repository, place);
    return place;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function fetchArchive({ spec, integrity }: Sample, folder: string): Promise<string> {
  await tool('npm', ['pack', spec, '--ignore-scripts', '--loglevel=error', `--pack-destination=${folder}`], folder);
  const [archive] = globSync('*.tgz', { cwd: folder });
  if (archive === undefined) throw new Stop(`npm pack ${spec} wrote no archive`);
  const path = join(folder, archive);
  const found = `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`;
  if (found !== integrity) throw new Stop(`${spec}: is not the archive that was expected (${found})`);
  return path;
}

/** Everything in one commit, which depends on the files alone: no hooks, no settings of this machine or person, a fixed moment. */
async function commit(repository: string, message: string): Promise<void> {
  const when = '2025-01-01T00:00:00Z';
  const who = { NAME: 'sample', EMAIL: 'sample@localhost', DATE: when };
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))),
    ...Object.fromEntries(
      Object.entries(who).flatMap(([key, value]) => [
        [`GIT_AUTHOR_${key}`, value],
        [`GIT_COMMITTER_${key}`, value],
      ]),
    ),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
  };
  await tool('git', ['init', '--quiet', '--template=', '--initial-branch=main'], repository, env);
  await tool('git', ['add', '--all', '--force', '.'], repository, env);
  await tool('git', ['commit', '--quiet', '--no-verify', `--message=${message}`], repository, env);
}

async function tool(name: string, args: readonly string[], cwd: string, env = process.env): Promise<string> {
  try {
    return (await run(name, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })).stdout;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const said = 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Stop(
      `${name} ${args[0] ?? ''}: ${(said === '' ? error.message : said).split('\n').slice(0, 5).join(' | ')}`,
    );
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    const [asked, ...rest] = process.argv.slice(2);
    const sample = samples.find(({ name }) => name === asked);
    if (sample === undefined || rest.length > 0) {
      throw new Stop(
        `which sample? npm run sample -- NAME, with NAME one of ${samples.map((s) => s.name).join(', ')}`,
        2,
      );
    }
    const root = dirname(dirname(fileURLToPath(import.meta.url)));
    const path = await makeSample(sample, join(root, '.cortex', 'samples'));
    const files = (await tool('git', ['ls-files', '-z'], path)).split('\0').length - 1;
    process.stderr.write(`${sample.spec}: ${files} files; review it with: npm run cortex -- review ${path}\n`);
    process.stdout.write(`${path}\n`);
    return 0;
  });
}
