// What the repository workers read from the environment.
import { delimiter } from 'node:path';
import { expect, test } from 'vitest';
import { parseWorkerConfig } from '../../../services/worker/config.ts';
import { fetchSettings } from '../../../services/worker/repo/env.ts';

test('no folder may be read unless one is named, and one file is enough', () => {
  expect(parseWorkerConfig({})).toMatchObject({ localRoots: undefined, minScanFiles: 1 });
  expect(parseWorkerConfig({ REPO_LOCAL_ROOTS: '' }).localRoots).toBeUndefined();
});

test('folders are separated as paths are', () => {
  const env = { REPO_LOCAL_ROOTS: ['/a', '/b c', ''].join(delimiter), MIN_SCAN_FILES: '0' };
  expect(parseWorkerConfig(env)).toMatchObject({ localRoots: ['/a', '/b c'], minScanFiles: 0 });
});

test('names what is wrong', () => {
  const parse = () => parseWorkerConfig({ REPO_LOCAL_ROOTS: `/a${delimiter}b`, MIN_SCAN_FILES: '-1' });
  expect(parse).toThrow(/REPO_LOCAL_ROOTS: .*holds "b", which is no absolute path/);
  expect(parse).toThrow(/MIN_SCAN_FILES: "-1" is not a whole number/);
});

test('https from public hosts is all that may be fetched from, unless more is named', () => {
  expect(fetchSettings(parseWorkerConfig({}))).toEqual({
    ...{ schemes: ['https'], privateHosts: [], caFile: undefined, sshKey: undefined, sshKnownHosts: undefined },
    ...{ maxMs: 120_000, maxBytes: 512 * 2 ** 20 },
  });
  const env = {
    ...{ REPO_URL_SCHEMES: 'file, https,ssh', REPO_PRIVATE_HOSTS: 'git.corp, *.corp:8443', REPO_CA_FILE: '/ca.pem' },
    ...{ REPO_SSH_KEY: '/key', REPO_SSH_KNOWN_HOSTS: '/hosts', REPO_FETCH_SECONDS: '1.5', REPO_FETCH_MB: '1' },
  };
  expect(fetchSettings(parseWorkerConfig(env))).toEqual({
    ...{ schemes: ['https', 'ssh', 'file'], privateHosts: ['git.corp', '*.corp:8443'], caFile: '/ca.pem' },
    ...{ sshKey: '/key', sshKnownHosts: '/hosts', maxMs: 1500, maxBytes: 2 ** 20 },
  });
});

test.each([
  [{ REPO_URL_SCHEMES: 'https,http' }, /REPO_URL_SCHEMES: .*names "http"; there are https, ssh, file/],
  [{ REPO_URL_SCHEMES: 'ssh' }, /REPO_URL_SCHEMES: ssh needs REPO_SSH_KEY and REPO_SSH_KNOWN_HOSTS/],
  [{ REPO_URL_SCHEMES: 'ssh', REPO_SSH_KEY: '/k' }, /REPO_URL_SCHEMES: ssh needs/],
  [{ REPO_PRIVATE_HOSTS: 'https://x' }, /REPO_PRIVATE_HOSTS: .*which is no host/],
  [{ REPO_FETCH_SECONDS: '0' }, /REPO_FETCH_SECONDS/],
  [{ REPO_FETCH_MB: '0' }, /REPO_FETCH_MB/],
])('%j is refused', (env, message) => {
  expect(() => parseWorkerConfig(env)).toThrow(message);
});
