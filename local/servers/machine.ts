// The machine we run on, for the installation of servers: who we are, what system it is, and the switch
// by which Debian packages are kept from starting their services.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { findServer } from './find.ts';
import type { Machine } from './install.ts';

export const thisMachine: Machine = {
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
  osRelease: existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '',
  find: (name) => findServer(name),
  run: (command, args, env) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        // A group of its own: Ctrl-C must not stop dpkg half way.
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit'],
        env: {
          ...process.env,
          ...env,
          PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`,
        },
      });
      child.once('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(127) : reject(error)));
      child.once('exit', (code) => resolve(code ?? 1));
    }),
  withoutServiceStarts: (work) => withPolicy('/usr/sbin/policy-rc.d', work),
};

const MARK = '# written by CortexOS while it installs packages; safe to remove';

/**
 * Debian's package scripts ask this file before they start a service, with systemd and without; 101 means
 * no. An administrator's own file is left as it is; one of ours that a killed start left is reused.
 */
export async function withPolicy<T>(file: string, work: () => Promise<T>): Promise<T> {
  const foreign = existsSync(file) && !readFileSync(file, 'utf8').includes(MARK);
  if (foreign) return work();
  writeFileSync(file, `#!/bin/sh\n${MARK}\nexit 101\n`, { mode: 0o755 });
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
