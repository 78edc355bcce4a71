// What a policy may demand of a patch and of the worker that makes it, kept to or refused by name.
import { tmpdir } from 'node:os';
import { CortexError } from '#core/errors.ts';
import type { PolicyConstraints } from '#proto/cortex/agent/v1/safety_pb.ts';
import type { ConstraintName } from '../define.ts';
import { parseGlobs } from '../repo/globs.ts';
import { isInside } from '../repo/root.ts';

/** It opens no socket but the model's; reads and writes below the folder for temporary files and runs git there, or refuses. */
export const honoured: readonly ConstraintName[] = [
  'sandbox.network_allowlist',
  'sandbox.fs_read_only',
  'sandbox.fs_read_write',
  'toolchain.allowed_tools',
  'diff.max_files',
  'diff.max_lines',
  'diff.deny_path_globs',
];

/** Throws `failed_precondition` that names the constraint when no patch for the file could keep to them. */
export function checkRules(constraints: PolicyConstraints | undefined, path: string): void {
  const { sandbox, toolchain, diff } = constraints ?? {};
  const temporary = tmpdir();
  if (sandbox?.fsReadOnly.some((folder) => isInside(temporary, folder)) === true)
    throw against('sandbox.fs_read_only', `a patch is made in ${temporary}, which may only be read`);
  const writable = sandbox?.fsReadWrite ?? [];
  if (writable.length > 0 && !writable.some((folder) => isInside(temporary, folder)))
    throw against('sandbox.fs_read_write', `a patch is made in ${temporary}, which is not in there`);
  const toolNames = toolchain?.allowedTools ?? [];
  if (toolNames.length > 0 && !toolNames.includes('git'))
    throw against('toolchain.allowed_tools', 'a patch is made with git, which is not in there');
  const denied = diff?.denyPathGlobs ?? [];
  if (denied.length === 0) return;
  const globs = parseGlobs({ include_globs: [], exclude_globs: denied });
  if (!globs.ok) throw against('diff.deny_path_globs', 'holds a pattern that cannot be read here');
  if (globs.value.excludes(path)) throw against('diff.deny_path_globs', `${path} must not be changed`);
}

/** What is wrong with a patch's size, `max_lines` being set; undefined when nothing is. `max_files`: a patch here is for one file. */
export function sizeProblem(constraints: PolicyConstraints | undefined, diff: string): CortexError | undefined {
  const most = constraints?.diff?.maxLines ?? 0;
  const lines = changedLines(diff);
  if (most <= 0 || lines <= most) return undefined;
  return against('diff.max_lines', `the patch changes ${lines} lines, at most ${most} are allowed`);
}

/** Added and removed ones of a diff that git made for one file. */
function changedLines(diff: string): number {
  let count = 0;
  for (const line of diff.slice(Math.max(0, diff.indexOf('\n@@'))).split('\n')) if (/^[+-]/.test(line)) count++;
  return count;
}

function against(name: ConstraintName, problem: string): CortexError {
  const field = `constraints.${name}`;
  return new CortexError('failed_precondition', `${field}: ${problem}`, { field });
}
