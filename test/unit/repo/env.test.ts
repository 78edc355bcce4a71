// What the repository workers read from the environment.
import { delimiter } from 'node:path';
import { expect, test } from 'vitest';
import { parseWorkerConfig } from '../../../services/worker/config.ts';

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
