// The exit codes of the CLI and what leads to them. They are part of the outside contract: scripts branch on them.

export const exit = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  notFound: 5,
  denied: 6,
  cancelled: 7,
  timeout: 8,
  unfinished: 9,
  broken: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

/** For `cortex help`: every code and what it tells. */
export const exitCodes: readonly (readonly [ExitCode, string])[] = [
  [exit.ok, 'done; of a job that was looked at or waited for: it SUCCEEDED'],
  [exit.failed, 'the job ended FAILED; or a replay came to something else'],
  [exit.usage, 'wrong usage, or a file or recording that cannot be used'],
  [exit.unreachable, 'the gateway cannot be reached, or cannot answer now'],
  [exit.refused, 'the gateway refused: key, role or input; or a cancel came after the end'],
  [exit.notFound, 'there is no such job, trace or key, or no recording of it'],
  [exit.denied, 'the job was DENIED by the safety policy'],
  [exit.cancelled, 'the job was CANCELLED'],
  [exit.timeout, 'the job ended in TIMEOUT'],
  [exit.unfinished, 'the job has not ended: yet, or when the wait was over'],
  [exit.broken, 'a fault of the CLI itself'],
  [exit.interrupted, 'Ctrl-C; a job that was waited for goes on'],
];

/** What the state of a job tells a script. A state that this CLI does not know is one of a job that goes on. */
export function exitOfState(state: string): ExitCode {
  switch (state) {
    case 'SUCCEEDED':
      return exit.ok;
    case 'FAILED':
      return exit.failed;
    case 'DENIED':
      return exit.denied;
    case 'CANCELLED':
      return exit.cancelled;
    case 'TIMEOUT':
      return exit.timeout;
    default:
      return exit.unfinished;
  }
}

/** What an HTTP status other than success tells: what is wrong with us, with the thing we asked for, or with the gateway. */
export function exitOfStatus(status: number): ExitCode {
  if (status === 404) return exit.notFound;
  return status >= 400 && status < 500 ? exit.refused : exit.unreachable;
}
