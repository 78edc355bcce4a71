// Who a process is: pid, start time and command line together, so that a recycled pid is never taken
// for one of ours. Plain JavaScript, because the first step of `npm start` runs on Node 18 as well.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * The identity of a living process, or undefined when there is none (a zombie counts as gone).
 * `startTime` is field 22 of /proc/<pid>/stat on Linux (clock ticks since boot) and the text of
 * `ps -o lstart=` elsewhere; it is only ever compared for equality.
 */
export function identify(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return process.platform === 'linux' ? identifyByProc(pid) : identifyByPs(pid);
}

function identifyByProc(pid) {
  let stat;
  let cmdline;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    cmdline = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
  // The second field is the command in brackets and may itself hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return {
    pid,
    startTime: fields[19],
    cmd: cmdline.split('\0').join(' ').trim(),
  };
}

function identifyByPs(pid) {
  const ps = (field) =>
    spawnSync('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)], {
      encoding: 'utf8',
    }).stdout?.trim();
  const startTime = ps('lstart');
  const cmd = ps('command');
  if (!startTime || !cmd || cmd === '<defunct>') return undefined;
  return { pid, startTime, cmd };
}

/** True when the process noted as `{pid, startTime, cmd?}` is still that same process. */
export function isAlive(noted) {
  if (noted === undefined || noted === null) return false;
  const now = identify(noted.pid);
  if (now === undefined || now.startTime !== noted.startTime) return false;
  return noted.cmd === undefined || noted.cmd === now.cmd;
}
