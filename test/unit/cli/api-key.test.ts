// Where the CLI takes its key from.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readApiKey } from '../../../local/cli/api-key.ts';

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-key-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const warn = (line: string): void => void warnings.push(line);

function keyFile(text: string, mode = 0o600): string {
  const file = join(folder, 'key');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

test('from the environment; none is no error', () => {
  expect(readApiKey({ file: undefined, env: { CORTEX_API_KEY: 'cortex_abc' }, warn })).toBe('cortex_abc');
  expect(readApiKey({ file: undefined, env: { CORTEX_API_KEY: '' }, warn })).toBeUndefined();
  expect(readApiKey({ file: undefined, env: { API_KEY: 'the-one-of-the-gateway' }, warn })).toBeUndefined();
});

test('a file comes before the environment, and its line end is not part of the key', () => {
  expect(readApiKey({ file: keyFile('cortex_file\n'), env: { CORTEX_API_KEY: 'cortex_env' }, warn })).toBe(
    'cortex_file',
  );
  expect(warnings).toEqual([]);
});

test('a file that others may read is pointed out', () => {
  const file = keyFile('cortex_file', 0o644);
  expect(readApiKey({ file, env: {}, warn })).toBe('cortex_file');
  expect(warnings).toEqual([`others may read ${file} (mode 644): chmod 600 ${file}`]);
});

test.each(['', '\n', 'two words', 'a\nb', 'schlüssel', 'x'.repeat(513)])('no key: %j', (text) => {
  const read = (): unknown => readApiKey({ file: keyFile(text), env: {}, warn });
  expect(read).toThrow(/must hold one key of 1 to 512 visible ASCII characters/);
  if (text.trim() !== '') expect(read).not.toThrow(new RegExp(text.slice(0, 20).replace('\n', '\\n')));
});

test('a file that is not there', () => {
  const file = join(folder, 'missing');
  expect(() => readApiKey({ file, env: {}, warn })).toThrow(`--key-file: ${file}: there is no such file`);
});

test('a folder is called one before anybody speaks of its mode', () => {
  expect(() => readApiKey({ file: folder, env: {}, warn })).toThrow(`--key-file: ${folder}: is a folder`);
  expect(warnings).toEqual([]);
});
