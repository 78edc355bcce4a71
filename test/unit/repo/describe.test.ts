// What a report says about a scan, by table.
import { expect, test } from 'vitest';
import { repoReportResult, type RepoScanResult, repoScanResult } from '#core/protocol/repo-payloads.ts';
import { describeScan } from '../../../services/worker/repo/describe.ts';

const file = (path: string, language: string, bytes: number, loc: number) => ({ path, language, bytes, loc });
const scan = (more: object = {}): RepoScanResult =>
  repoScanResult.parse({
    repo_root: '/r',
    archive_ptr: 'redis://res:1-repo-archive-5',
    files: [
      file('a.ts', 'typescript', 1000, 50),
      file('b.tsx', 'typescript', 3000, 1200),
      file('c.go', 'go', 9, 2),
      file('d.md', 'unknown', 10, 3),
      file('LICENSE', 'unknown', 10, 3),
    ],
    ...more,
  });

test('counts, adds up by language and names the largest', () => {
  const report = describeScan(scan({ skipped: [{ path: 'x', reason: 'symlink' }], skipped_counts: { symlink: 1 } }));
  expect(repoReportResult.parse(report)).toEqual(report);
  expect(report.scan_summary).toEqual({
    files: 5,
    bytes: 4029,
    lines: 1258,
    languages: [
      { language: 'typescript', files: 2, lines: 1250, bytes: 4000 },
      { language: 'markdown', files: 1, lines: 3, bytes: 10 },
      { language: 'other', files: 1, lines: 3, bytes: 10 },
      { language: 'go', files: 1, lines: 2, bytes: 9 },
    ],
    largest: [
      file('b.tsx', 'typescript', 3000, 1200),
      file('a.ts', 'typescript', 1000, 50),
      file('LICENSE', 'other', 10, 3),
      file('d.md', 'markdown', 10, 3),
      file('c.go', 'go', 9, 2),
    ],
    skipped: [{ path: 'x', reason: 'symlink' }],
    skipped_counts: { symlink: 1 },
  });
});

test('claims nothing about what did not run', () => {
  const report = describeScan(scan());
  expect(report.tests_summary).toBeUndefined();
  expect(report.sast_summary).toBeUndefined();
  expect(report.action_required).toBe(false);
  expect(report.sections).toEqual([{ title: 'Code Findings', items: [] }]);
  expect(report.summary).toContain('No analysis was run and the tests were not run');
  expect(report.summary).not.toContain('passed');
  expect(report.decision).toBe('Nothing to decide: the files were listed, not analysed.');
});

test.each([
  [
    {},
    '5 files with 1,258 lines and 4,029 bytes; lines by language: typescript 1,250, markdown 3, other 3, go 2. Nothing',
  ],
  [{ files: [] }, '0 files with 0 lines and 0 bytes. Nothing was left out.'],
  [{ files: [file('a.go', 'go', 1, 1)] }, '1 file with 1 line and 1 byte; lines by language: go 1.'],
  [
    { skipped_counts: { binary: 2, not_included: 1234567, too_large: 2 } },
    'Left out: 1,234,567 not included, 2 binary, 2 too large.',
  ],
  [
    {
      skipped: [
        { path: 'a', reason: 'x' },
        { path: 'b', reason: 'x' },
      ],
    },
    'Left out: 2 x.',
  ],
])('%j reads %s', (more, text) => {
  expect(describeScan(scan(more)).summary).toContain(text);
});

test('at most ten of the largest', () => {
  const files = Array.from({ length: 30 }, (_, i) => file(`f${i}.py`, 'python', i, 1));
  const { largest } = describeScan(scan({ files })).scan_summary ?? { largest: [] };
  expect(largest.map((f) => f.bytes)).toEqual([29, 28, 27, 26, 25, 24, 23, 22, 21, 20]);
});
