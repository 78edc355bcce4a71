// Configuration files: found or not, and every problem in plain words behind the name of the file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findFile } from '#core/process/config-file.node.ts';
import { parseConfigFile } from '#core/process/config-file.ts';
import { parsePools } from '#core/routing/pools.ts';

const problems = (text: string) => {
  const read = parseConfigFile('POOL_CONFIG_PATH', { path: 'p.yaml', text }, parsePools, undefined);
  return read.ok ? [] : read.error;
};

test('a folder is a fault, and a file that is not there is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortex-config-'));
  const found = findFile(folder);
  rmSync(folder, { recursive: true });
  expect(found).toEqual({ path: folder, text: undefined, fault: 'it is a folder' });
  expect(findFile(folder)).toEqual({ path: folder, text: undefined });
  const read = parseConfigFile('POOL_CONFIG_PATH', found, parsePools, undefined);
  expect(read.ok ? [] : read.error).toEqual([`POOL_CONFIG_PATH: ${folder} cannot be read: it is a folder`]);
});

test('problems are one line each, with file and field', () => {
  expect(problems('topics: {job.a: 1}\nsilent_capacity: {a: 0}\nextra: 1\nbus: {tenant: [a]}')).toEqual([
    'p.yaml: topics.job.a: must be text',
    'p.yaml: silent_capacity.a: must be at least 1',
    'p.yaml: bus.tenant: is not a known field',
    'p.yaml: extra: is not a known field',
  ]);
});

test('broken syntax is one line with its place', () => {
  expect(problems('topics: [\n')).toEqual([expect.stringMatching(/^p\.yaml: line \d+, column \d+: [^\n]*[^:\n]$/)]);
});

test('a reference to nothing, and one that would fill the memory, are one line', () => {
  expect(problems('topics: *none\n')).toEqual([expect.stringMatching(/^p\.yaml: [^\n]*alias[^\n]*none$/)]);
  const ten = (name: string) => `[${`*${name},`.repeat(10)}]`;
  const bomb = `a: &a [${'x,'.repeat(10)}]\nb: &b ${ten('a')}\nc: &c ${ten('b')}\nd: &d ${ten('c')}\ntopics: *d\n`;
  expect(problems(bomb)).toEqual(['p.yaml: Excessive alias count indicates a resource exhaustion attack']);
});
