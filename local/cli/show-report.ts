// The report of a repository review as a person reads it.
import { type RepoReportResult, repoReportResult, type ScanSummary } from '#core/protocol/repo-payloads.ts';
import type { Output } from './output.ts';
import { type Column, table } from './table.ts';
import { bytes, counted, number, oneLine, visible, wrap } from './text.ts';

/** Topics whose results are reports. */
export const reviewTopic = /^job\.(workflow\.repo\.code_review|repo\.report)$/;

const most = { languages: 12, largest: 10, skipped: 8, items: 50 };

/** False when the result is no report. */
export function showReport(result: unknown, out: Output): boolean {
  const parsed = repoReportResult.safeParse(result);
  if (!parsed.success) return false;
  const report = parsed.data;
  if (report.scan_summary !== undefined) showScan(report.scan_summary, out);
  showFindings(report, out);
  return true;
}

function showScan(scan: ScanSummary, out: Output): void {
  const { files, lines, languages, largest } = scan;
  out.print(out.paint('bold', `${counted(files, 'file')}, ${counted(lines, 'line')}, ${bytes(scan.bytes)}`));

  if (languages.length > 0) out.print('', out.paint('bold', 'Languages'));
  const top = Math.max(1, ...languages.map((one) => one.lines));
  const bar = (share: number): string => '#'.repeat(Math.max(1, Math.round((share / top) * 24)));
  const languageColumns: readonly Column<ScanSummary['languages'][number]>[] = [
    { title: '', value: ({ language }) => `  ${oneLine(language)}` },
    { title: '', value: (one) => counted(one.files, 'file'), align: 'right' },
    { title: '', value: (one) => counted(one.lines, 'line'), align: 'right' },
    { title: '', value: (one) => bytes(one.bytes), align: 'right' },
    { title: '', value: (one) => bar(one.lines), spare: 1, least: 24, style: (text) => out.paint('cyan', text) },
  ];
  out.print(...table(languageColumns, languages.slice(0, most.languages), out.width));
  andMore(out, languages.length - most.languages, 'language');

  if (largest.length > 0) out.print('', out.paint('bold', 'Largest files'));
  const fileColumns: readonly Column<ScanSummary['largest'][number]>[] = [
    { title: '', value: (file) => `  ${bytes(file.bytes)}`, align: 'right' },
    { title: '', value: (file) => counted(file.loc, 'line'), align: 'right' },
    { title: '', value: ({ path }) => oneLine(path), least: 20, cut: 'front' },
    { title: '', value: ({ language }) => oneLine(language), spare: 1, style: (text) => out.paint('dim', text) },
  ];
  out.print(...table(fileColumns, largest.slice(0, most.largest), out.width));
  showSkipped(scan, out);
}

/** What was left out, by reason, with a few examples of each. */
function showSkipped({ skipped, skipped_counts: counts }: ScanSummary, out: Output): void {
  const reasons = new Map(Object.entries(counts));
  const told = new Set(reasons.keys());
  for (const { reason } of skipped) {
    if (!told.has(reason)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const total = [...reasons.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return;
  out.print('', out.paint('bold', `Left out: ${number(total)}`));
  const rows = [...reasons]
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, count]) => {
      const paths = skipped.filter((one) => one.reason === reason).map(({ path }) => oneLine(path));
      return { reason, count, paths };
    });
  const columns: readonly Column<(typeof rows)[number]>[] = [
    { title: '', value: ({ count }) => `  ${number(count)}`, align: 'right' },
    { title: '', value: ({ reason }) => sentenceOf(reason) },
    {
      title: '',
      value: ({ paths, count }) => paths.slice(0, 3).join(', ') + (paths.length > 0 && count > 3 ? ', ...' : ''),
      least: 20,
      spare: 1,
      style: (text) => out.paint('dim', text),
    },
  ];
  out.print(...table(columns, rows.slice(0, most.skipped), out.width));
  andMore(out, rows.length - most.skipped, 'reason');
}

/** `too_large` as words; unknown reasons are told as they are. */
function sentenceOf(reason: string): string {
  return oneLine(reason.replaceAll('_', ' '));
}

function showFindings(report: RepoReportResult, out: Output): void {
  for (const { title, items } of report.sections) {
    if (items.length === 0) continue;
    out.print('', out.paint('bold', oneLine(title)));
    for (const { file_path: path, severity, description } of items.slice(0, most.items)) {
      const name = severity === 'high' ? out.paint('red', severity) : oneLine(severity);
      out.print(`  ${name} ${oneLine(path)}`);
      out.print(
        ...visible(description)
          .split('\n')
          .flatMap((line) => wrap(line, out.width - 4).map((part) => `    ${part}`)),
      );
    }
    andMore(out, items.length - most.items, 'finding');
  }
  const { sast_summary: sast, tests_summary: tests } = report;
  if (sast !== undefined && sast.total > 0) {
    out.print(
      '',
      `Static analysis: ${counted(sast.total, 'finding')}, ${sast.high} high, ${sast.medium} medium, ${sast.low} low`,
    );
  }
  if (tests?.ran === true)
    out.print('', `Tests: ${tests.failed ? out.paint('red', 'failed') : out.paint('green', 'passed')}`);
  const words = [report.summary, report.decision].filter((text) => text !== '');
  if (words.length > 0) out.print('', ...words.flatMap((text) => wrap(oneLine(text), out.width)));
}

function andMore(out: Output, count: number, what: string): void {
  if (count > 0) out.print(`  and ${counted(count, `more ${what}`)}`);
}
