// Published versions of packages, fetched by npm as it is configured to, each held to the digest it had when it was chosen.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import type { PinnedPackage } from './packages.ts';

const run = promisify(execFile);
const AT_ONCE = 15;

/** Fetches what `folder` lacks. Throws when npm cannot. */
export async function fetchVersions({ name, versions }: PinnedPackage, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const missing = versions.filter(([version]) => !existsSync(archivePath(folder, name, version)));
  for (let i = 0; i < missing.length; i += AT_ONCE) {
    const some = missing.slice(i, i + AT_ONCE);
    // Beside its place, so that a run that was cut off leaves no half of an archive.
    const temporary = mkdtempSync(join(folder, '.fetching-'));
    try {
      const specs = some.map(([version]) => `${name}@${version}`);
      await run('npm', ['pack', ...specs, '--ignore-scripts', '--loglevel=error', `--pack-destination=${temporary}`], {
        cwd: temporary,
      });
      for (const [version] of some) {
        renameSync(archivePath(temporary, name, version), archivePath(folder, name, version));
      }
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
}

/** The files of one version by their path in the package. Throws when the archive is not the one that was chosen. */
export async function readVersion(
  folder: string,
  name: string,
  [version, integrity]: PinnedPackage['versions'][number],
): Promise<Map<string, Uint8Array>> {
  const archive = readFileSync(archivePath(folder, name, version));
  const found = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${version} is not the archive that was chosen (${found})`);
  const entries = await unpackTar(gunzipSync(archive), { strip: 1 });
  return new Map(entries.flatMap(({ header, data }) => (data === undefined ? [] : [[header.name, data] as const])));
}

function archivePath(folder: string, name: string, version: string): string {
  return join(folder, `${name}-${version}.tgz`);
}
