// The port through which a kernel gets its policy, and what is the same for every driver: reading the text, and numbering what
// was read. Drivers: memory-source.ts, file-source.node.ts.
import { parseDocument } from 'yaml';
import { CortexError } from '#core/errors.ts';
import type { PolicyVersion } from '#core/jobs/job.ts';
import { digestOf } from '#core/jobs/submission.ts';
import { err, ok, type Result } from '#core/result.ts';
import { parsePolicyDocument, type Policy } from './policy.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly version: PolicyVersion;
}

export interface PolicySource {
  /**
   * The policy in force. The error is `failed_precondition`, with the source and every problem in one line: the policy is
   * missing or broken, and nothing may be judged. The last good one is not used instead: whoever breaks a policy may have
   * been about to forbid something.
   */
  current(): Promise<Result<LoadedPolicy>>;
}

/**
 * Reads policy texts one after the other. A text with other content than the last good one gets a higher sequence, the ms of
 * its first reading, so that a kernel which starts with a changed policy is always above the one before it. Two kernels with
 * the same content differ in sequence and agree in hash, and policies with equal hashes are the same. `name` tells whose
 * problems they are; `now` is in ms since the epoch.
 */
export function createPolicyReader(name: string, now: () => number): (text: string) => Result<LoadedPolicy> {
  let last: PolicyVersion | undefined;
  return (text) => {
    const read = parsePolicyText(text);
    if (!read.ok) return err(unusablePolicy(name, read.error.join('; ')));
    const hash = digestOf(text);
    if (last?.hash !== hash) last = { sequence: Math.max(now(), (last?.sequence ?? 0) + 1), hash };
    return ok({ policy: read.value, version: last });
  };
}

/** The error of a source whose policy cannot be used. */
export function unusablePolicy(name: string, problem: string, cause?: unknown): CortexError {
  const message = `the safety policy cannot be used: ${name}: ${problem}`;
  return new CortexError('failed_precondition', message, cause === undefined ? {} : { cause });
}

/** Reads the YAML of a policy; the problems are those of its syntax, or else all those of its content. */
export function parsePolicyText(text: string): Result<Policy, readonly string[]> {
  const document = parseDocument(text, { stringKeys: true });
  // A warning is a tag that nobody knows: `!foo`. What stands behind it may have been meant as something else.
  const faults = [...document.errors, ...document.warnings].map(firstLine);
  if (faults.length > 0) return err(faults);
  try {
    return parsePolicyDocument(document.toJS());
  } catch (error) {
    // A reference to nothing, or so many of them that the text is an attack.
    if (error instanceof ReferenceError) return err([firstLine(error)]);
    throw error;
  }
}

/** The lines behind the first draw the place in the text. */
function firstLine({ message }: Error): string {
  return (message.split('\n', 1)[0] ?? message).replace(/:$/, '');
}
