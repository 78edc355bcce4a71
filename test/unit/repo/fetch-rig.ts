// A TLS server on this machine with repositories in it, and fetches from it by the scanner's own code. Import it once per file: the server
// starts before its first test, and after each test nothing of a fetch may be left.
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { CortexError } from '#core/errors.ts';
import type { FetchSettings } from '../../../services/worker/repo/fetch.ts';
import { type Answer, type GitServer, startGitServer } from '../../helpers/git-server.ts';
import { git, makeTree, type ScanOf, type ScanOptions, scanFrom } from './tree.ts';

export let server: GitServer;
const servers: GitServer[] = [];

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  for (const one of servers) await one.close();
});

/** One more, until the end of the file. */
export async function startServer(answer?: Answer): Promise<GitServer> {
  const one = await startGitServer(answer);
  servers.push(one);
  return one;
}

/** Folders of fetches of this process. */
export const ours = (): string[] =>
  readdirSync(tmpdir()).filter((name) => new RegExp(`^cortex-repo-.*-${process.pid}-`).test(name));
afterEach(() => {
  expect(ours()).toEqual([]);
});

/** A committed tree, published under its name; its folder. */
export function publish(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  more?: (tree: string) => void,
): string {
  const tree = makeTree(files);
  git(tree, 'init', '-q', '-b', 'main');
  more?.(tree);
  git(tree, 'add', '-A', '-f');
  git(tree, 'commit', '-q', '-m', 'one');
  git(tree, 'clone', '-q', '--bare', tree, join(server.folder, name));
  return tree;
}

/** What the worker's configuration allows: this machine, by https. */
export function settings(more: Partial<FetchSettings> = {}): FetchSettings {
  return {
    ...{ schemes: ['https'], privateHosts: ['localhost'], caFile: server.caFile },
    ...{ sshKey: undefined, sshKnownHosts: undefined, maxMs: 20_000, maxBytes: 64 * 2 ** 20 },
    ...more,
  };
}

/** A scan of a repository of the server, or of an address. */
export function fetchOf(
  path: string,
  more: Partial<FetchSettings> = {},
  options: ScanOptions & { branch?: string } = {},
): Promise<ScanOf> {
  const { branch = '', ...rest } = options;
  const repo_url = path.includes(':') ? path : `${server.url}/${path}`;
  return scanFrom({ repo_url, branch }, { fetch: settings(more), ...rest });
}

/** Matches the error. */
export function refused(code: string, message: RegExp, field = 'repo_url'): unknown {
  return expect.toSatisfy((error: unknown) => {
    expect(error).toBeInstanceOf(CortexError);
    expect(error).toMatchObject({ code, field });
    expect((error as Error).message).toMatch(message);
    return true;
  });
}
