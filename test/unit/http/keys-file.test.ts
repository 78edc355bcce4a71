// The file of keys while it changes: noticed, and never a reason to lock everybody out or to let anybody in.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatApiKey, generateApiKey } from '#core/http/api-keys.ts';
import { createLog } from '#core/log.ts';
import { createKeyring } from '../../../functions/http/keyring.ts';
import { createKeysFile } from '../../../functions/http/keys-file.node.ts';
import { createFakeClock } from '../../helpers/clock.ts';

const made = (n: number) =>
  generateApiKey(new Uint8Array(32).fill(n), { tenant: 't', principal: `p${n}`, role: 'viewer', id: `k${n}` });
let folder: string;
let path: string;
let lines: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-keys-'));
  path = join(folder, 'keys.yaml');
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The ring on the file, and a way to let a second pass. */
function ring() {
  const clock = createFakeClock();
  const log = createLog({ level: 'info', write: (line) => lines.push(line), now: clock.now });
  const file = createKeysFile({ path, clock, log });
  const keyring = createKeyring({ apiKey: undefined, tenant: 'default', keys: file.current });
  const who = async (n: number): Promise<string | undefined> => {
    await clock.advance(1_000);
    return keyring.find(made(n).key)?.principal;
  };
  return { keyring, who, fault: file.fault };
}

/** As an editor or a deployment does it: another file, renamed onto this one. */
function replace(text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

test('a key that is added opens, one that is removed does not any more', async () => {
  writeFileSync(path, formatApiKey(made(1).entry));
  const { keyring, who } = ring();
  expect(keyring.open).toBe(false);
  expect(await who(1)).toBe('p1');
  expect(await who(2)).toBeUndefined();
  writeFileSync(path, formatApiKey(made(2).entry), { flag: 'a' });
  expect(await who(2)).toBe('p2');
  replace(formatApiKey(made(2).entry));
  expect(await who(1)).toBeUndefined();
  expect(await who(2)).toBe('p2');
  replace('');
  expect(await who(2)).toBeUndefined();
  expect(keyring.open).toBe(false);
});

test('a file that breaks is told once and changes nothing, until it is mended', async () => {
  writeFileSync(path, formatApiKey(made(1).entry));
  const { who, fault } = ring();
  expect(fault()).toBeUndefined();
  replace('- {"id":');
  for (let i = 0; i < 3; i++) expect(await who(1)).toBe('p1');
  expect(lines.filter((line) => line.includes('"error"'))).toHaveLength(1);
  expect(fault()).toContain('neither YAML nor JSON');
  rmSync(path);
  expect(await who(1)).toBe('p1');
  expect(fault()).toContain('ENOENT');
  replace(formatApiKey(made(3).entry));
  expect(await who(1)).toBeUndefined();
  expect(await who(3)).toBe('p3');
  expect(fault()).toBeUndefined();
});

test.each([
  ['is not there', () => undefined, 'ENOENT'],
  ['is wrong', () => writeFileSync(path, '- {"id":"a"}\n'), '[0].sha256'],
  ['is not UTF-8', () => writeFileSync(path, Uint8Array.of(0xff, 0xfe)), 'API_KEYS_PATH'],
])('a file that %s at the start is refused', (_, prepare, part) => {
  prepare();
  expect(ring).toThrow(
    expect.objectContaining({ code: 'failed_precondition', message: expect.stringContaining(part) }),
  );
});
