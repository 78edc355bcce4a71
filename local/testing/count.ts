// Counting results so that the sum is true: what failed before it could be counted counts as one failure.

export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const nothing: Count = { passed: 0, failed: 0, skipped: 0 };

export function add(a: Count, b: Count): Count {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** The last line of `npm test`. */
export function lastLine({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** 0 only when something ran and nothing failed. */
export function exitCode(count: Count): number {
  return count.failed === 0 && count.passed > 0 ? 0 : 1;
}

/** The counts of vitest's JSON report; `code` is its exit code, `report` undefined when it wrote none. */
export function countVitest(report: unknown, code: number): Count {
  if (!isRecord(report) || !Array.isArray(report['testResults'])) return { ...nothing, failed: 1 };
  let count = nothing;
  for (const file of report['testResults'] as unknown[]) {
    if (!isRecord(file) || !Array.isArray(file['assertionResults'])) return { ...nothing, failed: 1 };
    const tests = (file['assertionResults'] as unknown[]).map((test) => (isRecord(test) ? test['status'] : undefined));
    const failed = tests.filter((status) => status === 'failed').length;
    // A file that does not load, or whose hooks fail after its tests, fails without a failed test.
    const broken = file['status'] === 'failed' && failed === 0 ? 1 : 0;
    const passed = tests.filter((status) => status === 'passed').length;
    count = add(count, { passed, failed: failed + broken, skipped: tests.length - passed - failed });
  }
  return truthful(count, code);
}

/** The counts of the last line of local/verify.mjs, `verify: N passed, N failed`. */
export function countVerify(output: string, code: number): Count {
  const match = output.trimEnd().match(/verify: (\d+) passed, (\d+) failed$/);
  if (match === null) return { ...nothing, failed: 1 };
  return truthful({ passed: Number(match[1]), failed: Number(match[2]), skipped: 0 }, code);
}

function truthful(count: Count, code: number): Count {
  const unseen = count.failed === 0 && (code !== 0 || count.passed + count.skipped === 0);
  return unseen ? { ...count, failed: 1 } : count;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
