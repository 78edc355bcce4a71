// Payloads of the simple workers and of the repository pipeline: defaults, nulls from Go, and errors that name the field.
import { expect, test } from 'vitest';
import { chatContext, chatResult, echoContext, maxPromptLength, parsePayload } from '#core/protocol/payloads.ts';
import {
  defaultExcludeGlobs,
  defaultIncludeGlobs,
  repoReportContext,
  repoReportResult,
  repoReviewContext,
  repoScanContext,
  repoScanResult,
} from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';

test('echo takes any JSON', () => {
  for (const value of [null, 1, 'text', [1], { a: 1 }]) expect(unwrap(parsePayload(echoContext, value))).toEqual(value);
});

test('chat takes a prompt, and no context as an empty one', () => {
  expect(unwrap(parsePayload(chatContext, { prompt: 'Hi', topic: 'job.chat.simple' }))).toEqual({ prompt: 'Hi' });
  for (const value of [undefined, null, {}, { prompt: null }])
    expect(unwrap(parsePayload(chatContext, value))).toEqual({ prompt: '' });
});

test.each([
  [chatContext, 'text', 'payload'],
  [chatContext, { prompt: 7 }, 'prompt'],
  [chatContext, { prompt: 'x'.repeat(maxPromptLength + 1) }, 'prompt'],
  [chatResult, { job_id: 'a', prompt: '', response: '', processed_by: 'w' }, 'completed_at'],
  [repoReviewContext, {}, 'repo_url'],
  [repoReviewContext, { repo_url: '', local_path: null }, 'repo_url'],
  [repoReviewContext, { local_path: '/x', max_files: -1 }, 'max_files'],
  [repoReviewContext, { local_path: '/x', batch_size: 1.5 }, 'batch_size'],
  [repoReviewContext, { local_path: '/x', run_tests: 'yes' }, 'run_tests'],
  [repoReviewContext, { local_path: '/x', include_globs: ['a', ''] }, 'include_globs.1'],
  [repoReviewContext, { local_path: '/x', exclude_globs: 'a' }, 'exclude_globs'],
  [repoScanContext, {}, 'repo_url'],
  [repoScanResult, { repo_root: '/x', files: [{ path: 'a', language: 'go', bytes: 1, loc: -1 }] }, 'files.0.loc'],
  [repoReportContext, { files: [{ patch_ptr: '' }] }, 'files.0.file_path'],
  [
    repoReportResult,
    { summary: '', action_required: false, decision: '', sections: [{ title: 'a', items: [{}] }] },
    'sections.0.items.0.file_path',
  ],
])('a wrong payload is one error that names the field (%#)', (schema, value, field) => {
  const result = parsePayload(schema, value);
  expect(result).toMatchObject({ ok: false, error: { code: 'invalid_argument', field } });
  expect(!result.ok && result.error.message.startsWith(`${field}: `)).toBe(true);
});

test('an error does not repeat what stood in the field', () => {
  const result = parsePayload(chatContext, { prompt: ['secret'] });
  expect(!result.ok && result.error.message).not.toContain('secret');
});

test('a review has the defaults of the original, also for empty lists and nulls', () => {
  const defaults = {
    repo_url: '',
    local_path: '/x',
    branch: '',
    include_globs: defaultIncludeGlobs,
    exclude_globs: defaultExcludeGlobs,
    max_files: 0,
    batch_size: 0,
    max_batches: 0,
    run_tests: false,
    archive_ptr: '',
    test_command: 'go test ./...',
  };
  expect(unwrap(parsePayload(repoReviewContext, { local_path: '/x' }))).toEqual(defaults);
  const empty = {
    local_path: '/x',
    repo_url: null,
    include_globs: [],
    exclude_globs: null,
    max_files: null,
    run_tests: null,
    test_command: '',
  };
  expect(unwrap(parsePayload(repoReviewContext, empty))).toEqual(defaults);
  const own = {
    ...defaults,
    include_globs: ['src/**'],
    exclude_globs: ['a/**'],
    test_command: 'make',
    created_at: 'now',
    tenant_id: 'acme',
  };
  expect(unwrap(parsePayload(repoReviewContext, own))).toEqual(own);
});

test('the lists of patterns are the original ones', () => {
  expect(defaultIncludeGlobs).toHaveLength(31);
  expect(new Set(defaultIncludeGlobs).size).toBe(31);
  expect(defaultIncludeGlobs.slice(0, 3)).toEqual(['**/*.go', '**/*.ts', '**/*.tsx']);
  expect(defaultIncludeGlobs.at(-1)).toBe('**/*.sql');
  expect(defaultExcludeGlobs.join(' ')).toBe(
    'vendor/** node_modules/** dist/** .git/** build/** bin/** obj/** target/** .venv/** venv/**',
  );
});

test('a scan context lets other keys through unread', () => {
  expect(unwrap(parsePayload(repoScanContext, { local_path: '/x', run_tests: 'yes' }))).not.toHaveProperty('run_tests');
});

test('a scan of the original is read: null lists, no keys of ours', () => {
  const scan = {
    repo_root: '/x',
    files: [{ path: 'a.go', language: 'go', bytes: 10, loc: 2, recent_commits: 0 }],
    archive_ptr: 'redis://res:1-repo-archive',
  };
  expect(unwrap(parsePayload(repoScanResult, scan))).toEqual({ ...scan, skipped: [], skipped_counts: {} });
  expect(unwrap(parsePayload(repoScanResult, { repo_root: '/x', files: null }))).toMatchObject({
    files: [],
    archive_ptr: '',
  });
});

test('a report of the original is read, and ours with a scan summary', () => {
  const report = {
    summary: 'one file',
    action_required: true,
    decision: 'fix tests',
    sections: [
      { title: 'Code Findings', items: [{ file_path: 'a.go', description: 'd', severity: 'medium', patch_ptr: '' }] },
    ],
    tests_summary: { ran: true, failed: true, details: 'x'.repeat(10_000) },
    sast_summary: { total: 1, high: 1, medium: 0, low: 0 },
  };
  expect(unwrap(parsePayload(repoReportResult, report))).toEqual(report);
  const scan_summary = {
    files: 1,
    bytes: 10,
    lines: 2,
    languages: [{ language: 'go', files: 1, lines: 2, bytes: 10 }],
    largest: [{ path: 'a.go', language: 'go', bytes: 10, loc: 2 }],
    skipped: [{ path: 'b', reason: 'symlink' }],
    skipped_counts: { symlink: 1 },
  };
  expect(unwrap(parsePayload(repoReportResult, { ...report, scan_summary }))).toEqual({ ...report, scan_summary });
});
