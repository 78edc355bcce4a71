// The CLI whole: finds the command, gives it its world, turns what goes wrong into one line and an exit code.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stop } from '../bootstrap/stop.mjs';
import { readArgs } from './args.ts';
import { type Command, createContext, helpOption, type World } from './command.ts';
import { exit } from './exit.ts';
import { GoesOn } from './goes-on.ts';
import { showCommandHelp, showHelp } from './help.ts';
import { nearest } from './nearest.ts';
import { createOutput, type Output } from './output.ts';
import { shellWord } from './shell.ts';
import { oneLine } from './text.ts';

/** Each is loaded when it is called: half of the time that a command takes goes into loading. */
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['submit', () => import('./commands/submit.ts').then((file) => file.submit)],
  ['get', () => import('./commands/get.ts').then((file) => file.get)],
  ['list', () => import('./commands/list.ts').then((file) => file.list)],
  ['chat', () => import('./commands/chat.ts').then((file) => file.chat)],
  ['cancel', () => import('./commands/cancel.ts').then((file) => file.cancel)],
  ['workers', () => import('./commands/workers.ts').then((file) => file.workers)],
  ['trace', () => import('./commands/trace.ts').then((file) => file.trace)],
  ['workflow', () => import('./commands/workflow.ts').then((file) => file.workflow)],
  ['signal', () => import('./commands/workflow.ts').then((file) => file.signal)],
  ['rerun', () => import('./commands/workflow.ts').then((file) => file.rerun)],
  ['usage', () => import('./commands/usage.ts').then((file) => file.usage)],
  ['watch', () => import('./commands/watch.ts').then((file) => file.watch)],
  ['replay', () => import('./commands/replay.ts').then((file) => file.replay)],
  ['review', () => import('./commands/review.ts').then((file) => file.review)],
  ['context explain', () => import('./commands/context.ts').then((file) => file.contextExplain)],
  ['context show', () => import('./commands/context.ts').then((file) => file.contextShow)],
  ['context note', () => import('./commands/context.ts').then((file) => file.contextNote)],
  ['context forget', () => import('./commands/context.ts').then((file) => file.contextForget)],
  ['keys add', () => import('./commands/keys.ts').then((file) => file.keysAdd)],
  ['keys list', () => import('./commands/keys.ts').then((file) => file.keysList)],
  ['config push', () => import('./commands/config.ts').then((file) => file.configPush)],
  ['config remove', () => import('./commands/config.ts').then((file) => file.configRemove)],
  ['config show', () => import('./commands/config.ts').then((file) => file.configShow)],
  ['keys remove', () => import('./commands/keys.ts').then((file) => file.keysRemove)],
]);

/** npm hands a Ctrl-C on that the terminal has given us already: what comes so soon behind the first one is no second wish, ms. */
const echoMs = 1_000;

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Runs the command line of this process; answers its exit code. */
export async function main(): Promise<number> {
  const { env } = process;
  const interrupt = new AbortController();
  let interruptedAt = 0;
  process.on('SIGINT', () => {
    if (!interrupt.signal.aborted) {
      interruptedAt = performance.now();
      interrupt.abort(new Stop('interrupted', exit.interrupted));
    } else if (performance.now() - interruptedAt >= echoMs) process.exit(exit.interrupted);
  });
  // Whoever reads us may have read enough: `cortex list | head -1`.
  process.stdout.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'EPIPE') process.exit(exit.ok);
    throw error;
  });
  // npm runs its scripts in the root of the checkout; a path means where the person stands.
  const byNpm = env['npm_lifecycle_event'] === 'cortex';
  const cwd = (byNpm ? env['INIT_CWD'] : undefined) ?? process.cwd();
  const script = join(checkout, 'local', 'cli', 'main.ts');
  const self = byNpm ? 'npm run cortex --' : `node ${shellWord(shorter(relative(cwd, script), script))}`;
  const { stdin, stdout, stderr } = process;
  const out = createOutput({ stdout, stderr }, env);
  const world = { env, stdin, cwd, checkout, version: versionOf(checkout), now: Date.now, signal: interrupt.signal };
  return runCli(process.argv.slice(2), world, out, self);
}

/** `self` is how the person calls this CLI. */
export async function runCli(argv: readonly string[], world: World, out: Output, self: string): Promise<number> {
  try {
    return await run(argv, world, out, self);
  } catch (error) {
    out.done();
    if (error instanceof Stop) {
      out.note(`cortex: ${oneLine(error.message)}`);
      if (error instanceof GoesOn) for (const hint of error.hints) out.note(hint);
      return error.exitCode;
    }
    out.note(
      `cortex: a fault of this command: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return exit.broken;
  }
}

async function run(argv: readonly string[], world: World, out: Output, self: string): Promise<number> {
  const [first, ...rest] = argv;
  switch (first) {
    case undefined:
      throw new Stop(`no command; see: ${self} help`, exit.usage);
    case '--version':
      out.print(`cortex ${world.version}`);
      return exit.ok;
    case 'help':
    case '--help':
    case '-h':
      return help(rest, out, self);
    default:
  }
  if (first.startsWith('-')) throw new Stop(`the command comes first: ${self} COMMAND ${oneLine(first)}`, exit.usage);
  const { name, after } = findCommand(argv, self);
  const options = after.slice(0, after.includes('--') ? after.indexOf('--') : after.length);
  if (options.includes('--help') || options.includes('-h')) return help(name.split(' '), out, self);
  const [command] = await load([name]);
  if (command === undefined) throw new Error(`${name} has no file`);
  const args = readArgs({ ...command, options: { ...command.options, ...helpOption } }, after);
  return command.run(createContext(world, args, out, (rest) => `${self} ${rest}`));
}

/** Of one command, of the commands that begin with that word, or of all. */
async function help(words: readonly string[], out: Output, self: string): Promise<number> {
  const names = [...commands.keys()];
  if (words.length === 0) showHelp(await load(names), self, out);
  else {
    const group = names.filter((name) => name.startsWith(`${words.join(' ')} `));
    const asked = await load(group.length > 0 ? group : [findCommand(words, self).name]);
    asked.forEach((command, i) => {
      if (i > 0) out.print('', '');
      showCommandHelp(command, self, out);
    });
  }
  return exit.ok;
}

function load(names: readonly string[]): Promise<readonly Command[]> {
  const found = names.flatMap((name) => {
    const file = commands.get(name);
    return file === undefined ? [] : [file()];
  });
  return Promise.all(found);
}

/** A command's name has one or two words. */
function findCommand(argv: readonly string[], self: string): { name: string; after: readonly string[] } {
  const names = [...commands.keys()];
  for (const name of names) {
    const words = name.split(' ');
    if (words.every((word, i) => argv[i] === word)) return { name, after: argv.slice(words.length) };
  }
  const [first = '', second = ''] = argv;
  const group = names.filter((name) => name.startsWith(`${first} `));
  if (group.length > 0) {
    const problem =
      second === '' || second.startsWith('-') ? 'needs one word more' : `${JSON.stringify(second)} is unknown`;
    throw new Stop(`${first}: ${problem}; there is ${group.join(', ')}`, exit.usage);
  }
  const meant = nearest(
    first,
    names.map((name) => name.split(' ')[0] ?? ''),
  );
  const guess = meant === undefined ? `see: ${self} help` : `did you mean ${meant}?`;
  throw new Stop(`${JSON.stringify(first)} is no command; ${guess}`, exit.usage);
}

function versionOf(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

function shorter(a: string, b: string): string {
  return a.length > 0 && a.length < b.length ? a : b;
}
