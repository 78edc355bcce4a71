// Where the CLI looks for the gateway, in which order, and whose notes it believes.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { identify } from '../../../local/bootstrap/process.mjs';
import { Stop } from '../../../local/bootstrap/stop.mjs';
import { defaultGateway, findGateway, parseUrl } from '../../../local/cli/find-gateway.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cortex-find-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As `npm start` notes itself; `me` stands for the supervisor. */
function note(folder: string, url: string, me: object | undefined = identify(process.pid)): string {
  const place = join(root, folder);
  mkdirSync(join(place, '.cortex'), { recursive: true });
  writeFileSync(join(place, '.cortex', 'run.json'), JSON.stringify({ ...me, urls: { gateway: url } }));
  return place;
}

const find = (places: { option?: string; env?: Record<string, string>; cwd?: string; checkout?: string }) =>
  findGateway({
    option: places.option,
    env: places.env ?? {},
    cwd: places.cwd ?? join(root, 'nowhere'),
    checkout: places.checkout ?? join(root, 'no-checkout'),
  });

describe('the order', () => {
  test('--gateway, then CORTEX_URL, then what runs, then the default', () => {
    const cwd = note('work', 'http://127.0.0.1:7001');
    const env = { CORTEX_URL: 'http://127.0.0.1:7002' };
    expect(find({ option: 'http://127.0.0.1:7003', env, cwd })).toEqual({
      url: 'http://127.0.0.1:7003',
      from: 'from --gateway',
    });
    expect(find({ env, cwd })).toEqual({ url: 'http://127.0.0.1:7002', from: 'from CORTEX_URL' });
    expect(find({ env: { CORTEX_URL: '' }, cwd })).toEqual({
      url: 'http://127.0.0.1:7001',
      from: `from ${join(cwd, '.cortex', 'run.json')}`,
    });
    expect(find({})).toEqual({ url: defaultGateway, from: 'the default' });
  });

  test('from the folder upwards, then the own checkout', () => {
    const cwd = note('work', 'http://127.0.0.1:7001');
    const checkout = note('other', 'http://127.0.0.1:7002');
    expect(find({ cwd: join(cwd, 'a', 'b'), checkout }).url).toBe('http://127.0.0.1:7001');
    expect(find({ checkout }).url).toBe('http://127.0.0.1:7002');
  });
});

describe('a note that does not count', () => {
  test('of a system that is gone', () => {
    const gone = { pid: process.pid, startTime: 'another start', cmd: 'node' };
    expect(find({ cwd: note('work', 'http://127.0.0.1:7001', gone) }).from).toBe('the default');
  });

  test('of one that has no gateway yet', () => {
    const cwd = note('work', '');
    writeFileSync(join(cwd, '.cortex', 'run.json'), JSON.stringify({ ...identify(process.pid), urls: {} }));
    expect(find({ cwd }).from).toBe('the default');
  });

  test('that cannot be read as one', () => {
    const cwd = note('work', '');
    writeFileSync(join(cwd, '.cortex', 'run.json'), '{"pid":');
    expect(find({ cwd }).from).toBe('the default');
  });

  test.skipIf(process.getuid?.() !== 0)('of another user, who may write into a folder above us', () => {
    const cwd = note('work', 'http://127.0.0.1:7001');
    chownSync(join(cwd, '.cortex', 'run.json'), 65_534, 65_534);
    expect(find({ cwd }).from).toBe('the default');
  });

  test.skipIf(process.getuid?.() !== 0)('of root, noted for root alone, when somebody else asks', () => {
    const cwd = note('work', 'http://127.0.0.1:7001');
    chmodSync(root, 0o755);
    chmodSync(join(cwd, '.cortex', 'run.json'), 0o600);
    process.seteuid?.(65_534);
    try {
      expect(find({ cwd }).from).toBe('the default');
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe('an address', () => {
  test.each([
    ['http://127.0.0.1:8081', 'http://127.0.0.1:8081'],
    ['http://127.0.0.1:8081/', 'http://127.0.0.1:8081'],
    ['HTTPS://Cortex.Example.TEST', 'https://cortex.example.test'],
    ['https://example.test/cortex/', 'https://example.test/cortex'],
    ['http://[::1]:8081', 'http://[::1]:8081'],
  ])('%s', (text, url) => {
    expect(parseUrl('--gateway', text)).toBe(url);
  });

  test.each([
    ['127.0.0.1:8081', /--gateway: "127.0.0.1:8081" is not an address/],
    ['ftp://example.test', /is not an address/],
    ['http://', /is not an address/],
    ['http://example.test/?key=1', /goes on after the path/],
    ['http://ann:secret@example.test', /must not hold a name or password/],
  ])('not %s', (text, expected) => {
    const parse = (): string => parseUrl('--gateway', text);
    expect(parse).toThrow(Stop);
    expect(parse).toThrow(expected);
    expect(parse).not.toThrow(/secret/);
  });
});
