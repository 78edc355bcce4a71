// The command line as a whole, without a gateway: what is no command, what is wrong usage, what help says; and its first step, which
// any Node must be able to read.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Script } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../../local/cli/cli.ts';
import { capture } from '../../helpers/captured.ts';
import { cliFile } from '../../helpers/cli.ts';
import { repository } from '../../helpers/checkout.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-usage-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function cortex(...argv: string[]) {
  const captured = capture();
  const world = {
    env: {},
    stdin: Readable.from([]),
    cwd: folder,
    checkout: folder,
    version: '1.2.3',
    now: Date.now,
    signal: new AbortController().signal,
  };
  const code = await runCli(argv, world, captured.out, 'cortex');
  return { code, stdout: captured.stdout(), stderr: captured.stderr() };
}

describe('wrong usage is code 2, one line, and asks nobody', () => {
  test.each<readonly [string[], RegExp]>([
    [[], /no command; see: cortex help/],
    [['sumbit'], /"sumbit" is no command; did you mean submit\?/],
    [['frobnicate'], /"frobnicate" is no command; see: cortex help/],
    [['--json', 'list'], /the command comes first/],
    [['keys'], /keys: needs one word more; there is keys add, keys list, keys remove/],
    [['keys', 'ad'], /keys: "ad" is unknown; there is keys add/],
    [['help', 'nothing'], /"nothing" is no command/],
    [['get'], /get: ID is missing/],
    [['list', 'x'], /list: "x" is one argument too many/],
    [['list', '--state', 'done'], /list: --state: must be one of PENDING, /],
    [['list', '--updated-after', 'noon'], /list: --updated-after: "noon" is no time/],
    [['list', '--gateway', 'here'], /--gateway: "here" is not an address/],
    [['list', '--key', 'secret'], /--key: others can see a command line/],
    [['list', '--key-file', 'none'], /--key-file: .*none: there is no such file/],
    [['submit'], /PROMPT or --context is missing/],
    [['submit', 'x', '--context', '{'], /--context: is not JSON/],
    [['submit', 'x', '--context', '@/no/such/file'], /--context: \/no\/such\/file: there is no such file/],
    [['submit', 'x', '--label', 'novalue'], /--label: "novalue" is not NAME=VALUE/],
    [['submit', '-', '--context', '-'], /stdin can be read for one/],
    [['submit', 'x', '--priority', 'urgent'], /--priority: must be one of critical, interactive, batch/],
    [['review', 'no/such/folder'], /review: no\/such\/folder: there is no such file/],
    [['review', import.meta.filename], /is no folder/],
    [['review', '.', '--wait', '--no-wait'], /contradict/],
    [['review', '.', '--no-default-excludes'], /needs an --exclude/],
    [['keys', 'add', '--tenant', 'a'], /which file\? Name it with --file or API_KEYS_PATH/],
    [['keys', 'add', '--file', 'k'], /--tenant is missing/],
    [['keys', 'add', '--file', 'k', '--tenant', 'a b'], /--tenant: must be/],
    [['keys', 'add', '--file', 'k', '--tenant', 'a', '--principal', 'a b'], /--principal: must be/],
    [['keys', 'add', '--file', 'k', '--tenant', 'a', '--role', 'king'], /--role: must be one of viewer, submitter/],
    [['keys', 'list', '--file', 'none'], /none: there is no such file/],
  ])('%j', async (argv, problem) => {
    const { code, stdout, stderr } = await cortex(...argv);
    expect(stderr).toMatch(problem);
    expect(stderr).toMatch(/^cortex: [^\n]+\n$/);
    expect(stderr).not.toContain('secret');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

describe('help', () => {
  const names = [
    'submit',
    'get',
    'list',
    'cancel',
    'workers',
    'trace',
    'workflow',
    'signal',
    'rerun',
    'usage',
    'replay',
    'review',
    'keys add',
    'keys list',
    'keys remove',
  ];

  test.each([['help'], ['--help'], ['-h']])('%s names every command, variable and exit code', async (word) => {
    const { code, stdout, stderr } = await cortex(word);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of [...names, 'CORTEX_URL', 'CORTEX_API_KEY']) expect(stdout).toContain(`\n  ${name}`);
    for (const exitCode of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130])
      expect(stdout).toMatch(new RegExp(`^ +${exitCode} {2}\\S`, 'm'));
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test.each(names)('of %s, asked for in three ways', async (name) => {
    const words = name.split(' ');
    const { code, stdout } = await cortex('help', ...words);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^usage: cortex ${name}`));
    expect(stdout).toMatch(/^ {2}--json /m);
    expect(await cortex(...words, '--help')).toEqual({ code, stdout, stderr: '' });
    expect(await cortex(...words, '-h', '--nonsense')).toEqual({ code, stdout, stderr: '' });
  });

  test('of keys: all three', async () => {
    const { stdout } = await cortex('help', 'keys');
    expect(stdout.match(/^usage: cortex keys \w+/gm)).toHaveLength(3);
  });

  test('is not what a prompt after "--" asks for', async () => {
    const { code } = await cortex('submit', '--gateway', 'http://127.0.0.1:1', '--', '--help');
    expect(code).toBe(3);
  });

  test('--version', async () => {
    expect(await cortex('--version')).toEqual({ code: 0, stdout: 'cortex 1.2.3\n', stderr: '' });
  });
});

describe('the first step', () => {
  test('is plain JavaScript that every Node since 18 reads as CommonJS', () => {
    expect(lstatSync(cliFile).isSymbolicLink()).toBe(true);
    const text = readFileSync(cliFile, 'utf8');
    expect(() => new Script(text)).not.toThrow();
    expect(text).not.toMatch(/^\s*(import|export)\b[^(]/m);
  });

  /** A checkout with nothing but the CLI in it. */
  function bare(name: string): string {
    const root = join(folder, name);
    for (const part of ['any-node', 'bootstrap', 'cli']) {
      cpSync(join(repository, 'local', part), join(root, 'local', part), { recursive: true, verbatimSymlinks: true });
    }
    return root;
  }
  const run = (node: string, root: string) =>
    spawnSync(node, [join(root, 'local', 'cli', 'main.ts'), '--version'], { encoding: 'utf8' });

  test('says in one line that nothing is installed', () => {
    const root = bare('empty');
    const { status, stdout, stderr } = run(process.execPath, root);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^cortex: \S+ is not installed: npm install there[^\n]*\n$/);
    expect(existsSync(join(root, 'node_modules'))).toBe(false);
  });

  const older = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
    const version = existsSync(path) ? spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout : 'v24';
    return Number.parseInt(version.slice(1), 10) < 24;
  });

  test.skipIf(older === undefined)(
    'on an older Node: runs on the Node of the checkout, or says in one line what is needed',
    () => {
      expect(run(older ?? '', repository)).toMatchObject({
        status: 0,
        stderr: '',
        stdout: expect.stringMatching(/^cortex \d/),
      });
      const root = bare('old');
      mkdirSync(join(root, 'node_modules'));
      symlinkSync(join(repository, 'node_modules', 'zod'), join(root, 'node_modules', 'zod'));
      const { status, stdout, stderr } = run(older ?? '', root);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/^cortex: CortexOS needs Node 24 or newer, and \S+ is v\d[^\n]*\n$/);
    },
  );
});
