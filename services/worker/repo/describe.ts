// What a report says about a scan: data in, data out. It judges nothing, and says so: what did not run is never told as passed.
import type { RepoReportResult, RepoScanResult, ScanSummary } from '#core/protocol/repo-payloads.ts';
import { displayLanguage } from './languages.ts';
import { byText } from './skipped.ts';

/** How many of the largest files a report names. */
const mostLargest = 10;

/** The report of a review in which nothing but the scan ran. */
export function describeScan(scan: RepoScanResult): RepoReportResult {
  const scan_summary = summarise(scan);
  const sentences = [
    looked(scan_summary),
    leftOut(scan_summary.skipped_counts),
    'No analysis was run and the tests were not run, so nothing is said about the quality of the code.',
  ];
  return {
    summary: sentences.filter((sentence) => sentence !== '').join(' '),
    action_required: false,
    decision: 'Nothing to decide: the files were listed, not analysed.',
    sections: [{ title: 'Code Findings', items: [] }],
    scan_summary,
  };
}

function summarise({ files, skipped, skipped_counts }: RepoScanResult): ScanSummary {
  const languages = new Map<string, { language: string; files: number; lines: number; bytes: number }>();
  const total = { lines: 0, bytes: 0 };
  for (const file of files) {
    const language = displayLanguage(file);
    const sum = languages.get(language) ?? { language, files: 0, lines: 0, bytes: 0 };
    languages.set(language, sum);
    sum.files++;
    for (const one of [sum, total]) {
      one.lines += file.loc;
      one.bytes += file.bytes;
    }
  }
  const largest = files.toSorted((a, b) => b.bytes - a.bytes || byText(a.path, b.path)).slice(0, mostLargest);
  return {
    files: files.length,
    ...total,
    languages: [...languages.values()].sort((a, b) => b.lines - a.lines || byText(a.language, b.language)),
    largest: largest.map((file) => ({
      ...{ path: file.path, language: displayLanguage(file), bytes: file.bytes, loc: file.loc },
    })),
    skipped,
    skipped_counts: withUncounted(skipped, skipped_counts),
  };
}

/** A scan by somebody else's worker may list what it left out and count nothing. */
function withUncounted(
  skipped: RepoScanResult['skipped'],
  counts: Readonly<Record<string, number>>,
): Record<string, number> {
  const all = new Map(Object.entries(counts));
  for (const { reason } of skipped) {
    if (!Object.hasOwn(counts, reason)) all.set(reason, (all.get(reason) ?? 0) + 1);
  }
  return Object.fromEntries(all);
}

function looked({ files, lines, bytes, languages }: ScanSummary): string {
  const named = languages.slice(0, 4).map((one) => `${one.language} ${number(one.lines)}`);
  if (languages.length > named.length) named.push('others');
  const by = named.length === 0 ? '' : `; lines by language: ${named.join(', ')}`;
  return `${counted(files, 'file')} with ${counted(lines, 'line')} and ${counted(bytes, 'byte')}${by}.`;
}

function leftOut(counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts).sort(([a, n], [b, m]) => m - n || byText(a, b));
  if (rows.length === 0) return 'Nothing was left out.';
  return `Left out: ${rows.map(([reason, count]) => `${number(count)} ${reason.replaceAll('_', ' ')}`).join(', ')}.`;
}

function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function number(n: number): string {
  return String(n).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
