// The file of keys: added to and taken from in one step, readable by its owner alone, and nothing else in it changes.
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiKey, formatApiKey, generateApiKey } from '#core/http/api-keys.ts';
import { addKey, readKeys, removeKey } from '../../../local/cli/keys-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-keys-'));
  file = join(folder, 'keys.yaml');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function key(seed: number): ApiKey {
  const random = new Uint8Array(32).fill(seed);
  return generateApiKey(random, { tenant: 'acme', principal: `p${seed}`, role: 'viewer' }).entry;
}

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('adding', () => {
  test('makes the file, for its owner alone, and leaves nothing beside it', async () => {
    await addKey(file, key(1));
    expect(readKeys(file)).toEqual([key(1)]);
    expect(mode(file)).toBe('600');
    expect(readdirSync(folder)).toEqual(['keys.yaml']);
  });

  test('appends, and keeps comments and a line without an end', async () => {
    const before = `# who may come in\n${formatApiKey(key(1)).trimEnd()}`;
    writeFileSync(file, before);
    await addKey(file, key(2));
    expect(readFileSync(file, 'utf8')).toBe(`${before}\n${formatApiKey(key(2))}`);
    expect(readKeys(file)).toEqual([key(1), key(2)]);
  });

  test('narrows a mode that lets others read', async () => {
    writeFileSync(file, '');
    chmodSync(file, 0o644);
    await addKey(file, key(1));
    expect(mode(file)).toBe('600');
  });

  test('to a JSON list: the file is written anew, line by line', async () => {
    writeFileSync(file, JSON.stringify([key(1)], null, 2));
    await addKey(file, key(2));
    expect(readFileSync(file, 'utf8')).toBe(formatApiKey(key(1)) + formatApiKey(key(2)));
  });

  test('many at once: none is lost', async () => {
    const keys = Array.from({ length: 8 }, (_, i) => key(i + 1));
    await Promise.all(keys.map((one) => addKey(file, one)));
    expect(readKeys(file).toSorted((a, b) => (a.principal < b.principal ? -1 : 1))).toEqual(keys);
  });

  test('through a link: the file behind it changes, the link stays', async () => {
    writeFileSync(file, formatApiKey(key(1)));
    const link = join(folder, 'link');
    symlinkSync(file, link);
    await addKey(link, key(2));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readKeys(file)).toHaveLength(2);
  });

  test.skipIf(process.getuid?.() !== 0)('keeps the owner, who may be the gateway', async () => {
    writeFileSync(file, formatApiKey(key(1)));
    chownSync(file, 65_534, 65_534);
    await addKey(file, key(2));
    expect(statSync(file)).toMatchObject({ uid: 65_534, gid: 65_534 });
    expect(mode(file)).toBe('600');
  });

  test('to what is no file of keys: refused, and not touched', async () => {
    writeFileSync(file, '- id: 1\n');
    await expect(addKey(file, key(1))).rejects.toThrow(/is no file of keys: \[0\]\.id/);
    expect(readFileSync(file, 'utf8')).toBe('- id: 1\n');
    await expect(addKey(folder, key(1))).rejects.toThrow(/is a folder/);
  });
});

describe('removing', () => {
  test('takes that line out and no other', async () => {
    const text = ['# one\n', formatApiKey(key(1)), '# two\n', formatApiKey(key(2))];
    writeFileSync(file, text.join(''));
    expect(await removeKey(file, key(1).id)).toEqual(key(1));
    expect(readFileSync(file, 'utf8')).toBe(`# one\n# two\n${formatApiKey(key(2))}`);
    expect(mode(file)).toBe('600');
  });

  test('from entries that take several lines', async () => {
    const entry = Object.entries(key(1)).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`);
    writeFileSync(file, `-\n${entry.join('\n')}\n${formatApiKey(key(2))}`);
    expect(readKeys(file)).toEqual([key(1), key(2)]);
    await removeKey(file, key(1).id);
    expect(readKeys(file)).toEqual([key(2)]);
  });

  test('the last one leaves a file that holds no keys', async () => {
    await addKey(file, key(1));
    await removeKey(file, key(1).id);
    expect(readKeys(file)).toEqual([]);
  });

  test('one that is not there: exit code 5, and nothing changes', async () => {
    await addKey(file, key(1));
    const before = readFileSync(file, 'utf8');
    await expect(removeKey(file, 'nobody')).rejects.toMatchObject({ exitCode: 5 });
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test('no file', async () => {
    await expect(removeKey(file, 'nobody')).rejects.toThrow(/holds no key/);
    expect(() => readKeys(file)).toThrow(/there is no such file/);
  });
});
