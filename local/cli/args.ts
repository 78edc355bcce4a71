// The command line as data: a command says which options it knows, and gets back what was typed, or one line that names every
// problem. What an option means is the command's business.
import { parseArgs } from 'node:util';
import { Stop } from '../bootstrap/stop.mjs';
import { exit } from './exit.ts';
import { nearest } from './nearest.ts';

export interface Option {
  /** `flag`: no value. `list`: may be repeated. `count`: a whole number. `wait`: no value, or seconds after "=". */
  readonly kind: 'flag' | 'text' | 'list' | 'count' | 'wait';
  /** How its value is called in the help. */
  readonly value?: string;
  /** The only values there are; compared without regard to case, given to the command as they stand here. */
  readonly oneOf?: readonly string[];
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

export interface Shape {
  /** `keys add`. */
  readonly name: string;
  /** The operands by name; one in brackets may be left out: `['ID']`, `['[PROMPT]']`. */
  readonly operands: readonly string[];
  readonly options: Options;
}

export interface Args {
  /** By place; undefined where it was left out. */
  operand(place: number): string | undefined;
  flag(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  count(name: string): number | undefined;
  /** Seconds; Infinity for `--wait` without a number, undefined without the option. */
  wait(name: string): number | undefined;
}

/** Names of options that people try, and why there is no such option. */
const seen = 'others can see a command line: put the key into CORTEX_API_KEY, or into a file for --key-file';
const refused: ReadonlyMap<string, string> = new Map([
  ['key', seen],
  ['api-key', seen],
]);

/** Reads what came after the command's name. Throws Stop with one line that names every problem. */
export function readArgs(shape: Shape, argv: readonly string[]): Args {
  const types = Object.entries(shape.options).map(([name, { kind }]) => [
    name,
    { type: kind === 'flag' || kind === 'wait' ? 'boolean' : 'string' } as const,
  ]);
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(types) as Record<string, { type: 'boolean' | 'string' }>,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const operands: string[] = [];
  const given = new Map<string, string[]>();
  const problems: string[] = [];
  let secondsAt = -1; // where the number stands in `--wait 30`
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (token.index !== secondsAt || !isCount(token.value)) operands.push(token.value);
      else problems.push(`--wait: its seconds go after "=", as --wait=${token.value}`);
    }
    if (token.kind !== 'option') continue;
    const { name, rawName } = token;
    // Alone: the next argument may be the key, and an error about it would show it again.
    const why = refused.get(name);
    if (why !== undefined) throw usageError(shape.name, `${rawName}: ${why}`);
    const option = Object.hasOwn(shape.options, name) && rawName.startsWith('--') ? shape.options[name] : undefined;
    if (option === undefined) {
      problems.push(unknownOption(shape, name, rawName));
      continue;
    }
    if (option.kind === 'wait') secondsAt = token.index + 1;
    const { problem, value } = optionValue(option, token.value, token.inlineValue === true);
    const before = given.get(name) ?? [];
    if (problem !== undefined) problems.push(`${rawName}: ${problem}`);
    else if (before.length > 0 && option.kind !== 'list') problems.push(`${rawName}: is given twice`);
    else given.set(name, [...before, value]);
  }
  problems.push(...operandProblems(shape, operands));
  if (problems.length > 0) throw usageError(shape.name, problems.join('; '));
  const one = (name: string): string | undefined => given.get(name)?.[0];
  return {
    operand: (place) => operands[place],
    flag: (name) => given.has(name),
    text: one,
    list: (name) => given.get(name) ?? [],
    count: (name) => toNumber(one(name)),
    wait: (name) => (one(name) === '' ? Number.POSITIVE_INFINITY : toNumber(one(name))),
  };
}

/** A mistake in how a command was called: its line ends with where to read on. */
export function usageError(command: string, problem: string): Stop {
  return new Stop(`${command}: ${problem} (see: help ${command})`, exit.usage);
}

interface Value {
  readonly problem?: string;
  readonly value: string;
}

function optionValue(option: Option, given: string | undefined, inline: boolean): Value {
  const metavar = option.value ?? 'VALUE';
  const wrong = (problem: string): Value => ({ problem, value: '' });
  switch (option.kind) {
    case 'flag':
      return inline ? wrong('takes no value') : { value: '' };
    case 'wait':
      if (!inline) return { value: '' };
      return isCount(given) ? { value: given } : wrong('must be whole seconds');
    case 'count':
    case 'text':
    case 'list':
      if (given === undefined) return wrong(`needs ${metavar} after it`);
      // `--topic --json` is a forgotten value. Where a value really begins so, "=" tells that it is meant.
      if (!inline && given.startsWith('-') && given !== '-') {
        return wrong(`needs ${metavar} after it, and got ${given}; one that begins with "-" is written after "="`);
      }
      if (option.kind === 'count') return isCount(given) ? { value: given } : wrong('must be a whole number');
      return option.oneOf === undefined ? { value: given } : chosen(option.oneOf, given);
  }
}

function chosen(oneOf: readonly string[], given: string): Value {
  const value = oneOf.find((one) => one.toLowerCase() === given.toLowerCase());
  return value === undefined
    ? { problem: `must be one of ${oneOf.join(', ')}, not ${JSON.stringify(given)}`, value: '' }
    : { value };
}

function unknownOption(shape: Shape, name: string, rawName: string): string {
  const known = Object.keys(shape.options);
  if (!rawName.startsWith('--')) {
    return `${rawName}: unknown option (a text that begins with "-" goes after "--")`;
  }
  const meant = nearest(name, known);
  return `${rawName}: unknown option${meant === undefined ? '' : `, did you mean --${meant}?`}`;
}

function operandProblems(shape: Shape, operands: readonly string[]): string[] {
  const missing = shape.operands.slice(operands.length).filter((name) => !name.startsWith('['));
  const [extra] = operands.slice(shape.operands.length);
  if (missing.length > 0) return [`${missing.join(' and ')} is missing`];
  if (extra === undefined) return [];
  const quote = shape.operands.length === 0 ? '' : ` (put quotes around ${bare(shape.operands.at(-1) ?? '')})`;
  return [`${JSON.stringify(extra)} is one argument too many${quote}`];
}

function bare(name: string): string {
  return name.replace(/[[\]]/g, '');
}

function isCount(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,15}$/.test(text);
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
