// A policy in a file. It is looked at when somebody asks, at most every quarter of a second; nothing watches it in between.
import { readFileSync, statSync } from 'node:fs';
import type { Log } from '#core/log.ts';
import { err, type Result } from '#core/result.ts';
import type { Clock } from '#core/system.ts';
import { createPolicyReader, type LoadedPolicy, type PolicySource, unusablePolicy } from './source.ts';
import { unenforced } from './policy.ts';

export interface FilePolicyOptions {
  /** As it will stand in errors and in the log. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long one look at the file is good for, ms. Default 250. */
  readonly everyMs?: number;
}

/** A file of this size is no policy, and reading it would stop the process. Bytes. */
const maxBytes = 4 * 1024 * 1024;

/** The source behind SAFETY_POLICY_PATH. What it finds out it logs once: a new version, or the problem. */
export function createFilePolicySource({ path, clock, log, everyMs = 250 }: FilePolicyOptions): PolicySource {
  const read = createPolicyReader(path, () => clock.now());
  let looked = -Infinity;
  let seen = '';
  let current: Result<LoadedPolicy> = err(unusablePolicy(path, 'it was not read yet'));

  const look = (): void => {
    try {
      const stamp = stampOf(path); // taken before the file is read, so that a write in between shows at the next look
      if (stamp === seen) return;
      accept(read(utf8.decode(readFileSync(path))));
      seen = stamp;
    } catch (error) {
      seen = '';
      accept(err(unusablePolicy(path, problemOf(error), error)));
    }
  };
  const accept = (next: Result<LoadedPolicy>): void => {
    const told = current.ok ? current.value.version.hash : current.error.message;
    current = next;
    if (!next.ok) {
      // What fails in the same way at every look is said once.
      if (next.error.message !== told) log.error('no job is judged until the policy is mended', { error: next.error });
      return;
    }
    const { policy, version } = next.value;
    if (version.hash === told) return;
    log.info('safety policy in force', { path, ...version, tenants: policy.tenants.size });
    const ignored = unenforced(policy);
    if (ignored.length > 0) log.warn('the safety policy sets limits that are not enforced yet', { path, ignored });
  };
  return {
    async current() {
      const now = clock.monotonic();
      if (now - looked >= everyMs) {
        looked = now;
        look();
      }
      return current;
    },
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** What changes when the file does: another file, another size, another time. */
function stampOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  if (size > maxBytes) throw new Error(`is larger than ${maxBytes} bytes`);
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function problemOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read';
  if (code === 'EISDIR') return 'is a folder';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8';
  return error instanceof Error ? error.message : String(error);
}
