// An index that was brought up to date is the index made anew, byte for byte; and a blob is read back as it was written or refused.
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { BLOB_VERSION, decodeIndex, encodeIndex } from '#core/context/repo/blob.ts';
import { graphOf } from '#core/context/repo/graph.ts';
import { crc32 } from '#core/context/repo/bytes.ts';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import type { Outliner } from '#core/context/repo/outline.ts';
import { type Change, emptyIndex, indexFiles, type RepoIndex, updateIndex } from '#core/context/repo/repo-index.ts';
import { openSearch } from '#core/context/repo/search.ts';
import { unwrap } from '#core/result.ts';

let outliner: Outliner;
let files: { path: string; bytes: Uint8Array }[];
beforeAll(async () => {
  outliner = await loadOutliner(['typescript']);
  const folder = 'core/context/repo';
  files = readdirSync(folder)
    .slice(0, 12)
    .map((name) => ({ path: `${folder}/${name}`, bytes: readFileSync(`${folder}/${name}`) }));
});

const words = [
  'chunk',
  'parseHTTPHeader',
  'Zebra',
  'naïve',
  '日本',
  'outline_of',
  'const a = 1;',
  'export function zed() {}',
];
const change = fc.record({
  file: fc.nat(60),
  kind: fc.constantFrom('remove', 'edit', 'edit', 'new', 'empty', 'binary'),
  word: fc.constantFrom(...words),
});

test('random histories', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      (commits) => {
        const now = new Map<string, Uint8Array>(files.map(({ path, bytes }) => [path, bytes]));
        let blob = encodeIndex(indexFiles(files, outliner));
        for (const commit of commits) {
          const changes = commit.map((one) => changed(now, one));
          for (const { path, bytes } of changes) {
            if (bytes === undefined) now.delete(path);
            else now.set(path, bytes);
          }
          blob = encodeIndex(updateIndex(unwrap(decodeIndex(blob)), changes, outliner));
        }
        const anew = Array.from(now, ([path, bytes]) => ({ path, bytes })).reverse();
        expect(Buffer.compare(blob, encodeIndex(indexFiles(anew, outliner)))).toBe(0);
      },
    ),
    { numRuns: 15 },
  );
});

function changed(
  now: ReadonlyMap<string, Uint8Array>,
  { file, kind, word }: { file: number; kind: string; word: string },
): Change {
  const paths = [...now.keys()];
  const path = paths[file % Math.max(1, paths.length)] ?? 'a.ts';
  if (kind === 'remove') return { path };
  if (kind === 'new') return { path: `new/${file}.ts`, bytes: Buffer.from(`${word}\n${word} again\n`) };
  if (kind === 'empty') return { path, bytes: new Uint8Array(0) };
  if (kind === 'binary') return { path, bytes: Buffer.from('a\0b') };
  const before = Buffer.from(now.get(path) ?? []).toString();
  return { path, bytes: Buffer.from(`${before.slice(0, file * 50)}\n${word}\n${before.slice(file * 60)}`) };
}

test('everything removed is nothing, and holds no term', () => {
  const all = indexFiles(files, outliner);
  const gone = updateIndex(
    all,
    files.map(({ path }) => ({ path })),
    outliner,
  );
  expect(Buffer.compare(encodeIndex(gone), encodeIndex(emptyIndex))).toBe(0);
});

test('what is read back is what was written', () => {
  const index = indexFiles([...files, { path: 'b.bin', bytes: Buffer.from('\0') }], outliner);
  const read = unwrap(decodeIndex(encodeIndex(index)));
  expect(read).toEqual({ ...index, graph: graphOf(index) });
  expect(read.files.find(({ path }) => path === 'b.bin')?.skipped).toBe('binary');
});

describe('a blob that nobody wrote', () => {
  let blob: Uint8Array;
  beforeAll(() => {
    blob = encodeIndex(indexFiles(files.slice(0, 6), outliner));
  });

  const codeOf = (bytes: Uint8Array): string => {
    const decoded = decodeIndex(bytes);
    return decoded.ok ? 'ok' : decoded.error.code;
  };

  test('cut off anywhere', () => {
    for (let length = 0; length < blob.length; length += length < 200 ? 1 : 97) {
      expect(codeOf(blob.subarray(0, length)), `${length}`).toBe('data_loss');
    }
  });

  test('any flipped bit behind the version', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: blob.length - 1 }), fc.nat(7), (at, bit) => {
        const damaged = blob.slice();
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        expect(codeOf(damaged)).toBe('data_loss');
      }),
      { numRuns: 300 },
    );
  });

  test('another version', () => {
    const other = blob.slice();
    other[4] = BLOB_VERSION + 1;
    expect(codeOf(other)).toBe('failed_precondition');
  });

  // The checksum is no secret: a forged body must be refused by what it says, or give an index that can be searched.
  test('a forged body with a checksum that fits', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), byte: fc.nat(255) }), {
          minLength: 1,
          maxLength: 4,
        }),
        (edits) => {
          const forged = blob.slice();
          for (const { at, byte } of edits) forged[9 + Math.floor(at * (forged.length - 9))] = byte;
          new DataView(forged.buffer).setUint32(5, crc32(forged.subarray(9)), true);
          const decoded = decodeIndex(forged);
          if (decoded.ok) expect(openSearch(decoded.value).search({ text: 'chunk of a file', limit: 5 }).ok).toBe(true);
          else {
            refused++;
            expect(decoded.error.code).toBe('data_loss');
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('nothing but large numbers asks for no memory', () => {
    const forged = new Uint8Array(64).fill(255);
    forged.set(blob.subarray(0, 5));
    forged.set([0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x0f], 9);
    new DataView(forged.buffer).setUint32(5, crc32(forged.subarray(9)), true);
    expect(codeOf(forged)).toBe('data_loss');
  });
});

test('the same files in another order give the same bytes', () => {
  const shuffled: readonly RepoIndex[] = [files, files.toReversed()].map((list) => indexFiles(list, outliner));
  const [a, b] = shuffled.map((index) => Buffer.from(encodeIndex(index)));
  expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
});
