// A wait that ended before its job: the line that says so, and below it what one may type next.
import { Stop } from '../bootstrap/stop.mjs';

export class GoesOn extends Stop {
  /** Lines to print below the message. */
  readonly hints: readonly string[];

  constructor(message: string, exitCode: number, hints: readonly string[]) {
    super(message, exitCode);
    this.hints = hints;
  }
}

/** `command` writes a call of the CLI as the person would type it. */
export function jobHints(id: string, command: (rest: string) => string): readonly string[] {
  return [`  wait again:  ${command(`get ${id} --wait`)}`, `  cancel it:   ${command(`cancel ${id}`)}`];
}
