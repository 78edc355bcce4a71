// What `cortex help` and `cortex help COMMAND` print. The words about options stand with the commands.
import type { Command } from './command.ts';
import { cliEnv } from './env.ts';
import { exitCodes } from './exit.ts';
import type { Output } from './output.ts';
import { columnsOf, wrap } from './text.ts';

const widest = 100;

type Pair = readonly [string, string];

/** `self`: how the person calls this CLI. */
export function showHelp(commands: readonly Command[], self: string, out: Output): void {
  const section = sections(out);
  out.print(`${out.paint('bold', 'cortex')}, the command line of CortexOS`, '', `usage: ${self} COMMAND ...`);
  section('Commands', [
    ...commands.map((command): Pair => [[command.name, ...command.operands].join(' '), command.summary]),
    ['help COMMAND', 'explain one command and its options'],
    ['--version', 'print the version'],
  ]);
  section(
    'Environment',
    cliEnv.map(({ name, what }) => [name, what]),
  );
  section(
    'Exit codes',
    exitCodes.map(([code, meaning]) => [String(code).padStart(3), meaning]),
  );
}

export function showCommandHelp(command: Command, self: string, out: Output): void {
  const section = sections(out);
  out.print(
    `usage: ${[self, command.name, ...command.operands].join(' ')} [OPTIONS]`,
    '',
    capital(`${command.summary}.`),
  );
  for (const note of command.notes ?? []) out.print('', ...wrap(note, Math.min(out.width, widest)));
  section(
    'Options',
    Object.entries(command.options).map(([name, option]): Pair => {
      const value = option.value ?? 'VALUE';
      const shape = { flag: '', wait: `[=${value}]`, text: ` ${value}`, list: ` ${value}`, count: ` ${value}` };
      return [`--${name}${shape[option.kind]}`, option.help];
    }),
  );
  const examples = command.examples ?? [];
  if (examples.length === 0) return;
  out.print('', out.paint('bold', 'Examples'));
  for (const [rest, why] of examples) out.print(`  ${self} ${rest}`, out.paint('dim', `      ${why}`));
}

/** Prints a title and pairs, the second halves aligned and broken at the width of the terminal. */
function sections(out: Output): (title: string, pairs: readonly Pair[]) => void {
  const width = Math.min(out.width, widest);
  return (title, pairs) => {
    const left = Math.max(...pairs.map(([name]) => columnsOf(name))) + 4;
    out.print('', out.paint('bold', title));
    for (const [name, text] of pairs) {
      const [first = '', ...more] = wrap(text, Math.max(20, width - left));
      out.print(`  ${name}`.padEnd(left) + first, ...more.map((line) => ' '.repeat(left) + line));
    }
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
