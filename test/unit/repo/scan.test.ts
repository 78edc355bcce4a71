// What a scan finds in a folder without git: which files, counted how, what is left out and why.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { expect, test } from 'vitest';
import { repoScanResult } from '#core/protocol/repo-payloads.ts';
import { makeTree, scanOf, unpack } from './tree.ts';

test('finds files at every depth in the order of their paths, with language, bytes and lines', async () => {
  const root = makeTree({
    'main.go': 'package main\n\nfunc main() {}\n',
    'a/b/c.ts': 'x',
    'a.md': '',
    'a-b/x.py': 'é\n',
    'UPPER.TS': '1\n2',
  });
  const found = await scanOf(root);
  expect(found.repo_root).toBe(root);
  expect(found.archive_ptr).toBe('redis://res:x-repo-archive-1');
  expect(found.files).toEqual([
    { path: 'UPPER.TS', language: 'typescript', bytes: 3, loc: 2, recent_commits: 0 },
    { path: 'a-b/x.py', language: 'python', bytes: 3, loc: 2, recent_commits: 0 },
    { path: 'a.md', language: 'unknown', bytes: 0, loc: 1, recent_commits: 0 },
    { path: 'a/b/c.ts', language: 'typescript', bytes: 1, loc: 1, recent_commits: 0 },
    { path: 'main.go', language: 'go', bytes: 29, loc: 4, recent_commits: 0 },
  ]);
  expect(repoScanResult.parse(found)).toMatchObject({ files: found.files, skipped: [], skipped_counts: {} });
});

test.each([
  ...[
    ['x.go', 'go'],
    ['x.tsx', 'typescript'],
    ['x.jsx', 'javascript'],
    ['x.js', 'javascript'],
    ['x.rs', 'rust'],
  ],
  ...[
    ['x.java', 'java'],
    ['x.cs', 'csharp'],
    ['x.rb', 'ruby'],
    ['x.php', 'php'],
    ['x.h', 'c'],
    ['x.c', 'c'],
  ],
  ...[
    ['x.cc', 'cpp'],
    ['x.cxx', 'cpp'],
    ['x.hpp', 'cpp'],
    ['x.hxx', 'cpp'],
    ['x.cpp', 'cpp'],
    ['x.sh', 'unknown'],
  ],
  ...[
    ['go', 'unknown'],
    ['.go', 'unknown'],
    ['x.go/y', 'unknown'],
    ['x.constructor', 'unknown'],
  ],
])('calls %s %s', async (path, language) => {
  const { files } = await scanOf(makeTree({ [path]: '' }));
  expect(files.map((f) => f.language)).toEqual([language]);
});

test('says what it leaves out, and why', async () => {
  const root = makeTree({
    'ok.ts': 'ok',
    'picture.ts': new Uint8Array([1, 2, 0, 3]),
    'late-nul.ts': `${'a'.repeat(9000)}\0`,
    'exact.ts': 'a'.repeat(2 * 2 ** 20),
    'big.ts': 'a'.repeat(2 * 2 ** 20 + 1),
    'notes.xyz': '',
    'gen/a.ts': '',
    'x.gen.ts': '',
    'node_modules/p/index.ts': '',
    'sub/node_modules/p/index.ts': '',
    '.git/config.ts': '',
  });
  const found = await scanOf(root, { include: ['**/*.ts'], exclude: ['node_modules/**', '*.gen.ts', '/gen'] });
  expect(found.paths).toEqual(['exact.ts', 'late-nul.ts', 'ok.ts']);
  expect(found.left).toEqual({
    binary: ['picture.ts'],
    too_large: ['big.ts'],
    not_included: ['notes.xyz'],
    excluded: ['x.gen.ts'],
    excluded_folder: ['.git/', 'gen/', 'node_modules/', 'sub/node_modules/'],
  });
  expect(found.skipped_counts).toEqual({ binary: 1, too_large: 1, not_included: 1, excluded: 1, excluded_folder: 4 });
});

test('leaves pipes and sockets alone', async () => {
  const root = makeTree({ 'a.ts': '' });
  execFileSync('mkfifo', [join(root, 'pipe.ts')]);
  const server = createServer().listen(join(root, 'sock.ts'));
  try {
    const found = await scanOf(root);
    expect(found.paths).toEqual(['a.ts']);
    expect(found.left).toEqual({ not_a_file: ['pipe.ts', 'sock.ts'] });
  } finally {
    server.close();
  }
});

test('keeps odd names that are text, and shows those that are not', async () => {
  const odd = [
    '-rf.ts',
    ' lead.ts',
    '$(id).ts',
    'naïve-日本.ts',
    '🦊.ts',
    'quote\'".ts',
    `${'n'.repeat(250)}.ts`,
    '.ts',
  ];
  const root = makeTree(Object.fromEntries(odd.map((name) => [name, name])));
  const bytes = (text: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(text, 'latin1')]);
  for (const name of ['new\nline.ts', 'esc\x1b[31m.ts', 'lat\xe9.ts', 'back\\slash.ts', '\xc3\x28.ts']) {
    writeFileSync(bytes(name), 'x');
  }
  mkdirSync(bytes('dir\xff'));
  writeFileSync(bytes('dir\xff/inner.ts'), 'x');
  const found = await scanOf(root);
  expect(found.paths).toEqual(odd.toSorted());
  expect(found.left).toEqual({
    invalid_name: ['\\xc3(.ts', 'back\\x5cslash.ts', 'dir\\xff', 'esc\\x1b[31m.ts', 'lat\\xe9.ts', 'new\\x0aline.ts'],
  });
  const archived = await unpack(found.archive);
  expect([...archived]).toEqual(odd.toSorted().map((name) => [name, name]));
});

test('keeps few examples and counts all', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `${String(i).padStart(3, '0')}.xyz`);
  const found = await scanOf(makeTree({ 'a.ts': '', ...Object.fromEntries(names.map((n) => [n, ''])) }), {
    include: ['*.ts'],
  });
  expect(found.left['not_included']).toEqual(names.slice(0, 25));
  expect(found.skipped_counts).toEqual({ not_included: 300 });
});

test('reads a thousand folders and 6,000 files in little time', async () => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 6000; i++) files[`d${i % 1000}/f${i}.ts`] = `export const n = ${i};\n`.repeat(20);
  const root = makeTree(files);
  const percents: number[] = [];
  const began = performance.now();
  const found = await scanOf(root, { onProgress: (percent) => void percents.push(percent) });
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(found.files).toHaveLength(6000);
  expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  expect(percents.length).toBeGreaterThan(2);
});

test('is done with the same archive, byte for byte, for the same files', async () => {
  const files = { 'z.ts': 'z', 'a/b.ts': 'b', 'run.sh': '#!/bin/sh\n' };
  const one = makeTree(files);
  const two = makeTree(Object.fromEntries(Object.entries(files).reverse()));
  utimesSync(join(two, 'z.ts'), 1, 1);
  symlinkSync('z.ts', join(two, 'link.ts'));
  const [first, second] = [await scanOf(one), await scanOf(two)];
  expect(Buffer.compare(first.archive, second.archive)).toBe(0);
  const [entry] = await unpackTar(gunzipSync(first.archive), { strict: true });
  expect(entry?.header).toMatchObject({ name: 'a/b.ts', mtime: new Date(0), uid: 0, gid: 0, uname: '', mode: 0o644 });
  const third = await scanOf(makeTree({ ...files, 'z.ts': 'y' }));
  expect(Buffer.compare(first.archive, third.archive)).not.toBe(0);
});

test('archives exactly the files of the result, as tar itself reads them', async () => {
  const long = `${'deep/'.repeat(30)}${'x'.repeat(90)}.ts`;
  const longer = `${'l'.repeat(200)}/${'ü'.repeat(100)}.ts`;
  const root = makeTree({ 'a.ts': 'alpha', [long]: 'long', [longer]: 'longer', 'empty.ts': '', 'bin.ts': '\0' });
  const found = await scanOf(root);
  expect(found.paths).toHaveLength(4);
  expect([...(await unpack(found.archive)).keys()]).toEqual(found.paths);
  const file = join(makeTree(), 'archive.tar.gz');
  writeFileSync(file, found.archive);
  const options = { encoding: 'utf8' as const, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' } };
  const listed = execFileSync('tar', ['--quoting-style=literal', '-tzf', file], options);
  expect(listed.trimEnd().split('\n')).toEqual(found.paths);
  expect(execFileSync('tar', ['-xzOf', file, longer], options)).toBe('longer');
});
