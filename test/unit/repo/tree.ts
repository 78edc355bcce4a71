// Folders for scans to look at, made and removed by the test file that uses them; and a scan of one, in this process.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { afterAll } from 'vitest';
import { silentLog } from '#core/log.ts';
import { type RepoScanResult, repoScanContext } from '#core/protocol/repo-payloads.ts';
import { noFetch, scan, scanLimits, type ScanSettings } from '../../../services/worker/repo/scanner.ts';

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A new folder with these files; its real path. */
export function makeTree(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-scan-')));
  made.push(root);
  chmodSync(root, 0o755);
  addFiles(root, files);
  return root;
}

export function addFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** git, with nobody's settings. */
export function git(cwd: string, ...args: readonly string[]): string {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'protocol.file.allow=always'];
  const env = {
    PATH: process.env['PATH'],
    HOME: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
  };
  return execFileSync('git', [...who, ...args], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export interface ScanOf extends RepoScanResult {
  readonly archive: Uint8Array;
  readonly paths: readonly string[];
  /** Paths by reason. */
  readonly left: Readonly<Record<string, readonly string[]>>;
  readonly warnings: readonly string[];
}

export interface ScanOptions extends Partial<ScanSettings> {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (percent: number, message: string) => void;
}

/** Where from: one of the three. */
export interface ScanSource {
  readonly local_path?: string;
  readonly repo_url?: string;
  readonly branch?: string;
  readonly archive?: Uint8Array;
}

/** Scans `path`, by default with itself as the only root and everything included. */
export function scanOf(path: string, options: ScanOptions = {}): Promise<ScanOf> {
  return scanFrom({ local_path: path }, { roots: [path], ...options });
}

/** Scans whatever it is. */
export async function scanFrom(source: ScanSource, options: ScanOptions = {}): Promise<ScanOf> {
  const { include = ['**'], exclude = ['node_modules/**'], signal, onProgress, ...settings } = options;
  const { archive: uploaded, ...place } = source;
  const archive_ptr = uploaded === undefined ? '' : 'redis://archive:default:0';
  const request = repoScanContext.parse({ ...place, archive_ptr, include_globs: include, exclude_globs: exclude });
  const warnings: string[] = [];
  let archive = new Uint8Array(0);
  const result = await scan(
    request,
    { ...scanLimits, ...noFetch, roots: [], minFiles: 0, ...settings },
    {
      signal: signal ?? new AbortController().signal,
      log: { ...silentLog, warn: (message) => void warnings.push(message) },
      progress: onProgress ?? (() => undefined),
      async store(bytes) {
        archive = new Uint8Array(bytes);
        return 'redis://res:x-repo-archive-1';
      },
    },
    uploaded,
  );
  const left: Record<string, string[]> = {};
  for (const { path: skipped, reason } of result.skipped) (left[reason] ??= []).push(skipped);
  return { ...result, archive, paths: result.files.map((f) => f.path), left, warnings };
}

/** What is in an archive: text by path, in the archive's order. */
export async function unpack(archive: Uint8Array): Promise<ReadonlyMap<string, string>> {
  const entries = await unpackTar(gunzipSync(archive), { strict: true });
  for (const { header } of entries) if (header.type !== 'file') throw new Error(`${header.name} is a ${header.type}`);
  return new Map(entries.map(({ header, data }) => [header.name, new TextDecoder().decode(data)]));
}
