// Which folder a scan may read: `local_path` must be, by its real path, an allowed root or below one. Without roots there is none.
import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, resolve, sep } from 'node:path';
import { CortexError, invalid } from '#core/errors.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';

export interface ScanRoot {
  /** The real path of the folder to scan. */
  readonly root: string;
  /** The real path of the allowed root that holds it. */
  readonly allowed: string;
}

/** Whether `path` is `folder` or below it. Both normalised. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Finds the folder. Errors are about `field` and say nothing about what lies outside the roots, not even whether it exists. */
export function openRoot(
  localPath: string,
  roots: readonly string[],
  field = 'local_path',
): Result<ScanRoot, CortexError> {
  const problem = (code: 'not_found' | 'failed_precondition', text: string): CortexError =>
    new CortexError(code, `${field}: ${text}`, { field });
  if (localPath.includes('\0')) return err(invalid(field, 'holds a NUL character'));
  if (!isAbsolute(localPath)) return err(invalid(field, 'must be an absolute path'));
  const real = roots.flatMap((root) => realPath(root) ?? []);
  const asked = resolve(localPath);
  const outside = new CortexError('permission_denied', `${field}: ${outsideText(roots)}`, { field });
  // Looked at only when it is inside as written: what is elsewhere is nobody's business.
  if (![...roots.map((root) => resolve(root)), ...real].some((root) => isInside(asked, root))) return err(outside);
  const root = realPath(asked);
  const allowed = root === undefined ? undefined : real.find((folder) => isInside(root, folder));
  if (root === undefined) return err(problem('not_found', 'there is no such folder, or it cannot be read'));
  if (allowed === undefined) return err(outside);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    return err(problem('failed_precondition', 'is not a folder'));
  }
  return ok({ root, allowed });
}

function outsideText(roots: readonly string[]): string {
  if (roots.length === 0) return 'this worker may read no local folder; REPO_LOCAL_ROOTS names those it may read';
  return 'is not below a folder that REPO_LOCAL_ROOTS allows';
}

/** Undefined when it does not exist or cannot be reached. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
