// Runs the gates, two at a time, and reports them: one line each, the output of a failed one in full. Returns the exit code.

import { availableParallelism } from 'node:os';
import { fix, type Gate, gates, type Outcome, ROOT } from './gates.ts';

export interface GateResult extends Outcome {
  readonly name: string;
  readonly ms: number;
}

/** `args`: names of gates (none means all but those on demand) and `--fix`. 0: all passed, 1: one failed, 2: not understood. */
export async function main(
  args: readonly string[],
  { all = gates, say = console.log }: { all?: readonly Gate[]; say?: (line: string) => void } = {},
): Promise<number> {
  const names = args.filter((arg) => arg !== '--fix');
  const unknown = names.filter((arg) => !all.some(({ name }) => name === arg));
  if (unknown.length > 0) {
    say(
      `verify: ${unknown.join(', ')} not understood; gates are ${all.map(({ name }) => name).join(', ')}, option --fix`,
    );
    return 2;
  }
  if (args.includes('--fix')) say(await fix());
  const chosen = all.filter(({ name, onDemand = false }) => (names.length === 0 ? !onDemand : names.includes(name)));
  const results = await runGates(chosen, (result) => say(report(result)));
  const failed = results.filter((result) => !result.ok);
  say(`verify: ${results.length - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

/** Runs gates side by side, as many as there are cores, and tells of each as it ends. A gate that throws has failed. */
export async function runGates(
  chosen: readonly Gate[],
  onResult: (result: GateResult) => void = () => {},
): Promise<GateResult[]> {
  const waiting = [...chosen];
  const results: GateResult[] = [];
  const lane = async (): Promise<void> => {
    for (let gate = waiting.shift(); gate !== undefined; gate = waiting.shift()) {
      const start = performance.now();
      const outcome = await gate.run(ROOT).catch((error: unknown) => ({ ok: false, output: String(error) }));
      const result = { name: gate.name, ms: performance.now() - start, ...outcome };
      results.push(result);
      onResult(result);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane));
  return results;
}

function report({ name, ok, ms, output }: GateResult): string {
  const line = `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${(ms / 1000).toFixed(1)} s`;
  return ok ? line : `${line}\n${indent(output.trim() || 'no output')}`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
