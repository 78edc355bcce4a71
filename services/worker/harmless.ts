// The constraints that a worker keeps to by its nature when it opens no file and no socket, runs no tool and changes no code.
import type { ConstraintName } from './define.ts';

export const harmless: readonly ConstraintName[] = [
  'sandbox.network_allowlist',
  'sandbox.fs_read_only',
  'sandbox.fs_read_write',
  'toolchain.allowed_tools',
  'toolchain.allowed_commands',
  'diff.max_files',
  'diff.max_lines',
  'diff.deny_path_globs',
];
