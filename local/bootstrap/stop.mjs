// A reason to stop that a person can act on: one line and an exit code, no stack.

export class Stop extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'Stop';
    this.exitCode = exitCode;
  }
}

/** Runs a command to its exit code; a Stop becomes its one line on stderr. */
export async function runCommand(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`cortex: ${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
