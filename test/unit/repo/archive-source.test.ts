// A scan of an uploaded archive: what honest packers write is read, and everything else refuses the whole of it, while it is read.
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { entry, pax, type RawEntry, tar, tgz } from '../../helpers/tar.ts';
import { git, makeTree, type ScanOptions, scanFrom, scanOf, unpack } from './tree.ts';

const scanArchive = (archive: Uint8Array, options: ScanOptions = {}) => scanFrom({ archive }, options);
const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(90)}.ts`;

describe('an honest archive', () => {
  test('one that a scan made gives the same scan and the same archive', async () => {
    const root = makeTree({ 'b.ts': 'two\n', 'a.ts': 'one\n', 'src/ä 1.go': 'x\n', [long]: 'y\n', 'run.sh': 'z' });
    const local = await scanOf(root);
    const again = await scanArchive(local.archive);
    expect(again.files).toEqual(local.files);
    expect(again).toMatchObject({ repo_root: '', skipped: [], skipped_counts: {} });
    expect(Buffer.from(again.archive).equals(Buffer.from(local.archive))).toBe(true);
  });

  test.each([
    ['GNU tar', ['--format=gnu']],
    ['GNU tar in pax format', ['--format=pax']],
    ['GNU tar in the old format', ['--format=ustar', '--exclude=d*']],
  ])('%s', async (_, args) => {
    const root = makeTree({ 'b.ts': 'two\n', 'src/a.ts': 'one\n', [long]: 'y\n', 'node_modules/x.ts': '' });
    const archive = execFileSync('tar', ['-czf', '-', ...args, '.'], { cwd: root });
    const { paths, left } = await scanArchive(archive);
    expect(paths).toEqual(args.length > 1 ? ['b.ts', 'src/a.ts'] : ['b.ts', long, 'src/a.ts']);
    expect(left).toEqual({ excluded: ['node_modules/'] });
  });

  test('git archive, whose export attributes have been at work by then', async () => {
    const root = makeTree({ 'a.ts': 'x\n', 'b.ts': 'y\n', '.gitattributes': 'b.ts export-ignore\n' });
    git(root, 'init', '-q');
    git(root, 'add', '-A');
    git(root, 'commit', '-q', '-m', 'one');
    git(root, 'archive', '--format=tar.gz', '-o', 'out.tgz', 'HEAD');
    const { paths } = await scanArchive(execFileSync('cat', [join(root, 'out.tgz')]), { include: ['**/*.ts'] });
    expect(paths).toEqual(['a.ts']);
  });

  test('patterns and limits of files hold', async () => {
    const archive = tgz(
      ...[
        { name: 'a.ts', body: 'a' },
        { name: 'b.py', body: 'b' },
        { name: 'large.ts', body: 'x'.repeat(11) },
      ],
      ...[
        { name: 'binary.ts', body: new Uint8Array([0, 1]) },
        { name: '.git/config', body: '' },
        { name: 'x/', type: '5' },
      ],
      { name: 'run.ts', body: '#!', mode: 0o755 },
    );
    const scan = await scanArchive(archive, { include: ['**/*.ts'], maxFileBytes: 10 });
    expect(scan.paths).toEqual(['a.ts', 'run.ts']);
    expect(scan.left).toEqual({
      binary: ['binary.ts'],
      excluded: ['.git/'],
      not_included: ['b.py'],
      too_large: ['large.ts'],
    });
    expect([...(await unpack(scan.archive)).keys()]).toEqual(['a.ts', 'run.ts']);
  });

  test('too many files, too many bytes, too few files', async () => {
    const archive = tgz({ name: 'a.ts', body: 'aaaa' }, { name: 'b.ts', body: 'bbbb' });
    const field = 'archive_ptr';
    await expect(scanArchive(archive, { maxFiles: 1 })).rejects.toMatchObject({ code: 'out_of_range', field });
    await expect(scanArchive(archive, { maxTotalBytes: 7 })).rejects.toMatchObject({ code: 'out_of_range', field });
    await expect(scanArchive(archive, { minFiles: 3 })).rejects.toMatchObject({ code: 'failed_precondition', field });
  });
});

describe('a hostile archive', () => {
  const utf8 = (text: string): Buffer => Buffer.from(text);
  const cases: readonly (readonly [string, readonly (RawEntry | Buffer)[], RegExp])[] = [
    ['..', [{ name: '../a.ts' }], /path with "\.\."/],
    ['.. inside', [{ name: 'a/../../b.ts' }], /path with "\.\."/],
    ['.. of a folder', [{ name: '../d/', type: '5' }], /path with "\.\."/],
    ['.. behind the prefix', [{ name: 'a.ts', prefix: '..' }], /path with "\.\."/],
    ['.. in a pax path', [{ type: 'x', body: pax({ path: '../../a.ts' }) }, {}], /path with "\.\."/],
    ['.. in a GNU name', [{ type: 'L', body: '../a.ts\0' }, {}], /path with "\.\."/],
    ['an absolute path', [{ name: '/etc/passwd' }], /absolute path/],
    ['an absolute pax path', [{ type: 'x', body: pax({ path: '/a.ts' }) }, {}], /absolute path/],
    ['an absolute path behind ./', [{ name: './/a.ts' }], /absolute path/],
    ['a backslash', [{ name: 'a\\b.ts' }], /backslash/],
    ['an empty part', [{ name: 'a//b.ts' }], /empty part/],
    ['a dot inside', [{ name: 'a/./b.ts' }], /empty part/],
    ['no name', [{ name: '' }], /empty part/],
    ['a file that ends like a folder', [{ name: 'a/' }], /empty part/],
    ['a symbolic link', [{ type: '2', link: '/etc/passwd' }], /a symbolic link/],
    ['a hard link', [{ type: '1', link: 'b.ts' }], /a hard link/],
    ['a character device', [{ type: '3' }], /a device/],
    ['a block device', [{ type: '4' }], /a device/],
    ['a pipe', [{ type: '6' }], /a pipe/],
    ['a sparse file', [{ type: 'S' }], /a sparse file/],
    ['a sparse file by pax', [{ type: 'x', body: pax({ 'GNU.sparse.major': '1' }) }, {}], /a sparse file/],
    ['a long link target', [{ type: 'K', body: 'x' }, {}], /a link with a long target/],
    ['an unknown kind', [{ type: 'Z' }], /of the kind "Z"/],
    ['a multi-volume header', [{ type: 'M' }], /of the kind "M"/],
    ['a folder with content', [{ name: 'd/', type: '5', body: 'x' }], /folder with content/],
    ['a name twice', [{ name: 'a.ts' }, { name: 'a.ts' }], /"a.ts" twice/],
    ['a name twice, once with ./', [{ name: 'a.ts' }, { name: './a.ts' }], /"a.ts" twice/],
    ['a file and then a folder', [{ name: 'a' }, { name: 'a/b.ts' }], /as a file and as a folder/],
    ['a folder and then a file', [{ name: 'a/b.ts' }, { name: 'a' }], /"a" twice/],
    ['bytes that are not UTF-8', [{ name: new Uint8Array([0x61, 0xff, 0x2e]) }], /not UTF-8/],
    [
      'a pax path that is not UTF-8',
      [{ type: 'x', body: pax({ path: new Uint8Array([0xc3, 0x28]) }) }, {}],
      /not UTF-8/,
    ],
    ['half a surrogate', [{ name: new Uint8Array([0xed, 0xa0, 0x80]) }], /not UTF-8/],
    ['an overlong dot', [{ name: new Uint8Array([0xc0, 0xae, 0xc0, 0xae, 0x2f, 0x61]) }], /not UTF-8/],
    ['a line end', [{ name: 'a\nb.ts' }], /control characters/],
    ['an escape', [{ name: 'a\u001b[31m.ts' }], /control characters/],
    ['a NUL in a pax path', [{ type: 'x', body: pax({ path: 'a\0b' }) }, {}], /control characters/],
    ['a name of 5,000', [{ type: 'x', body: pax({ path: 'x'.repeat(5000) }) }, {}], /too long/],
    [
      'a header of a megabyte',
      [{ type: 'x', body: utf8('x'.repeat(2 ** 20)) }, {}],
      /extended header of 1048576 bytes/,
    ],
    ['a header that says a gigabyte', [{ type: 'L', size: 2 ** 30 }], /extended header of 1073741824 bytes/],
    ['a pax header with a wrong length', [{ type: 'x', body: '99 path=a\n' }, {}], /cannot be read/],
    ['a pax header with no length', [{ type: 'x', body: 'path=a\n' }, {}], /cannot be read/],
    ['a pax size that is none', [{ type: 'x', body: pax({ size: '-1' }) }, {}], /cannot be read/],
    ['a global path', [{ type: 'g', body: pax({ path: 'b.ts' }) }, {}], /sets "path" for all files/],
    ['a wrong checksum', [{ checksum: 1 }], /wrong checksum/],
    ['a size that is none', [{ size: 'abc' }], /a number that is none/],
    ['a size in binary', [{ size: '\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff' }], /a number that is none/],
    ['a negative size', [{ size: '-0000000001\0' }], /a number that is none/],
  ];

  test.each(cases)('%s', async (_, entries, message) => {
    const archive = tgz(...entries, { name: 'fine.ts', body: 'x' });
    const error: unknown = await scanArchive(archive).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CortexError);
    expect(error).toMatchObject({ field: 'archive_ptr' });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message.length).toBeLessThan(6_000);
    expect((error as Error).message).not.toMatch(/\p{Cc}/u);
  });

  const field = 'archive_ptr';

  test('what is no archive, or half of one', async () => {
    const whole = tgz({ body: 'x'.repeat(5000) }, { name: 'b.ts', body: randomBytes(3000) });
    const cut = tar({ body: 'x'.repeat(5000) });
    for (const archive of [
      ...[new Uint8Array(0), utf8('<html>'), tar({}), gzipSync(''), gzipSync('hello'), gzipSync(randomBytes(1024))],
      ...[
        whole.subarray(0, 20),
        whole.subarray(0, whole.length - 1000),
        gzipSync(cut.subarray(0, 700)),
        gzipSync(cut.subarray(0, 300)),
      ],
      gzipSync(entry({ body: 'x' })), // no end
    ]) {
      await expect(scanArchive(archive)).rejects.toMatchObject({ code: 'invalid_argument', field });
    }
  });

  test('a bomb is put out while it is read', async () => {
    const started = process.memoryUsage().rss;
    const zeros = gzipSync(Buffer.concat([entry({ size: 2 ** 30 }), Buffer.alloc(256 * 2 ** 20)]), { level: 9 });
    expect(zeros.length).toBeLessThan(300_000);
    await expect(scanArchive(zeros)).rejects.toMatchObject({
      ...{ code: 'out_of_range', field, message: 'archive_ptr: is unpacked to more than 200 times its size' },
    });
    expect(process.memoryUsage().rss - started).toBeLessThan(400 * 2 ** 20); // the 256 MiB are this test's own
  });

  test('one that is large without being a bomb ends at the bytes', async () => {
    const noise = Array.from({ length: 40 }, (_, i) => ({ name: `n${i}.txt`, body: randomBytes(100_000) }));
    const limits = { maxTotalBytes: 1_000_000, maxFiles: 50, include: ['**/*.ts'] };
    await expect(scanArchive(tgz(...noise), limits)).rejects.toMatchObject({
      ...{
        code: 'out_of_range',
        field,
        message: expect.stringMatching(/more than \d+ bytes when it is unpacked/) as string,
      },
    });
  });

  test('too many entries, too many bytes of names', async () => {
    const many = Array.from({ length: 41 }, (_, i) => ({ name: `d${i}/`, type: '5' }));
    await expect(scanArchive(tgz(...many), { maxFiles: 10 })).rejects.toMatchObject({ code: 'out_of_range', field });
    const names = Array.from({ length: 9000 }, (_, i) => [
      entry({ type: 'x', body: pax({ path: `${'n'.repeat(4000)}${i}` }) }),
      entry({}),
    ]).flat();
    await expect(scanArchive(gzipSync(Buffer.concat(names), { level: 1 }))).rejects.toMatchObject({
      ...{ code: 'out_of_range', field },
    });
  });

  test('too many folders, of which one name may have thousands', async () => {
    const deep = Array.from({ length: 200 }, (_, i) => [
      entry({ type: 'x', body: pax({ path: `${i}/${'d/'.repeat(2000)}a.ts` }) }),
      entry({}),
    ]).flat();
    const archive = gzipSync(Buffer.concat(deep), { level: 1 });
    await expect(scanArchive(archive)).rejects.toMatchObject({
      ...{ code: 'out_of_range', field, message: 'archive_ptr: has more than 200000 folders' },
    });
  });

  test('nothing that bytes can be makes it throw anything else', async () => {
    const good = tar({ name: 'a.ts', body: 'x' }, { type: 'x', body: pax({ path: long }) }, { body: 'y' });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            const { paths } = await scanArchive(gzipSync(bytes, { level: 1 }));
            for (const path of paths) expect(path).not.toMatch(/(^|\/)\.\.?(\/|$)|^\/|\p{Cc}/u);
          } catch (error) {
            expect(error).toBeInstanceOf(CortexError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('an abort ends it', async () => {
    const controller = new AbortController();
    const files = Array.from({ length: 3000 }, (_, i) => ({
      name: `f${i}.ts`,
      body: randomBytes(2000).toString('hex'),
    }));
    const reason = new CortexError('canceled', 'enough');
    const onProgress = (percent: number): void => {
      if (percent > 0) controller.abort(reason);
    };
    await expect(scanArchive(tgz(...files), { signal: controller.signal, onProgress })).rejects.toBe(reason);
  });
});

test('a link beside the files of a folder is left out by the packer, so that its archive is taken', async () => {
  const root = makeTree({ 'a.ts': 'x' });
  symlinkSync('/etc/passwd', join(root, 'b.ts'));
  const packed = await scanOf(root);
  expect(packed.left).toEqual({ symlink: ['b.ts'] });
  expect((await scanArchive(packed.archive)).paths).toEqual(['a.ts']);
});
