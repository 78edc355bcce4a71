// The kinds of environment variable: each function declares one by name, default (as it would be written) and a line for people.
// Without a default the value may be undefined; `required` forbids that. Reading and describing them is env.ts.
import { err, ok, type Result } from '#core/result.ts';
import { type Address, parseAddress } from './address.ts';
import type { EnvVar } from './env.ts';

interface Details {
  /** Never shown. */
  readonly secret?: boolean;
}

function variable<T, D extends string | undefined>(
  name: string,
  fallback: D,
  what: string,
  type: string,
  parse: (text: string) => Result<T, string>,
  details: Details = {},
): EnvVar<D extends undefined ? T | undefined : T> {
  const declared: EnvVar<T> = {
    name,
    default: fallback,
    what,
    type,
    required: false,
    secret: details.secret ?? false,
    parse,
  };
  return declared;
}

/** The same variable without a way around it. */
export function required<T>(declared: EnvVar<T | undefined>): EnvVar<T> {
  return { ...(declared as EnvVar<T>), required: true };
}

/** Text. `pattern` is the whole value; `type` says it in words. */
export function text<D extends string | undefined>(
  name: string,
  fallback: D,
  what: string,
  details: Details & { readonly pattern?: RegExp; readonly type?: string } = {},
) {
  const type = details.type ?? 'text';
  const parse = (value: string): Result<string, string> =>
    details.pattern === undefined || details.pattern.test(value) ? ok(value) : err(`is not a ${type}`);
  return variable(name, fallback, what, type, parse, details);
}

/** One of a closed set. */
export function choice<T extends string, D extends T | undefined>(
  name: string,
  fallback: D,
  what: string,
  values: readonly T[],
) {
  const type = `one of ${values.join(', ')}`;
  const parse = (value: string): Result<T, string> => {
    const found = values.find((v) => v === value);
    return found === undefined ? err(`is not ${type}`) : ok(found);
  };
  return variable(name, fallback, what, type, parse);
}

export interface Range {
  readonly min?: number;
  readonly max?: number;
}

function inWords(noun: string, { min, max }: Range): string {
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`;
  if (min !== undefined) return `${noun} of at least ${min}`;
  return max === undefined ? noun : `${noun} of at most ${max}`;
}

function ranged(value: number, range: Range, type: string): Result<number, string> {
  const inside = value >= (range.min ?? -Infinity) && value <= (range.max ?? Infinity);
  return inside ? ok(value) : err(`is not a ${type}`);
}

/** A whole number, decimal digits only. */
export function int<D extends string | undefined>(name: string, fallback: D, what: string, range: Range = {}) {
  const type = inWords('whole number', range);
  const parse = (value: string): Result<number, string> =>
    /^-?\d{1,15}$/.test(value) ? ranged(Number(value), range, type) : err(`is not a ${type}`);
  return variable(name, fallback, what, type, parse);
}

/** A decimal number. */
export function decimal<D extends string | undefined>(name: string, fallback: D, what: string, range: Range = {}) {
  const type = inWords('number', range);
  const parse = (value: string): Result<number, string> =>
    /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? ranged(Number(value), range, type) : err(`is not a ${type}`);
  return variable(name, fallback, what, type, parse);
}

/** `true` or `false`, exactly. With `otherwise: 'false'` any other text means false, as the original read its switches. */
export function bool<D extends 'true' | 'false' | undefined>(
  name: string,
  fallback: D,
  what: string,
  details: { readonly otherwise?: 'error' | 'false' } = {},
) {
  const parse = (value: string): Result<boolean, string> => {
    if (value === 'true') return ok(true);
    return value === 'false' || details.otherwise === 'false' ? ok(false) : err('is neither true nor false');
  };
  return variable(name, fallback, what, 'true or false', parse);
}

/** `host:port`, `:port` or `[ipv6]:port`. */
export function address<D extends string | undefined>(name: string, fallback: D, what: string) {
  const parse = (value: string): Result<Address, string> => {
    const found = parseAddress(value);
    return found === undefined ? err('is not a host:port with a port from 0 to 65535') : ok(found);
  };
  return variable(name, fallback, what, 'host:port', parse);
}

/** A time written as a number of seconds; the value is in milliseconds. */
export function seconds<D extends string | undefined>(name: string, fallback: D, what: string, range: Range = {}) {
  const type = inWords('number of seconds', { min: range.min ?? 0, ...range });
  const parse = (value: string): Result<number, string> => {
    if (!/^\d{1,12}(\.\d{1,3})?$/.test(value)) return err(`is not a ${type}`);
    const inRange = ranged(Number(value), range, type);
    return inRange.ok ? ok(Math.round(inRange.value * 1_000)) : inRange;
  };
  return variable(name, fallback, what, type, parse);
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A time with its units, as in `90s`, `1h30m`, `250ms`; the value is in milliseconds. */
export function duration<D extends string | undefined>(name: string, fallback: D, what: string) {
  const parse = (value: string): Result<number, string> => {
    if (!/^(\d{1,12}(\.\d{1,3})?(ms|s|m|h))+$/.test(value)) return err('is not a duration such as 90s or 1h30m');
    let ms = 0;
    for (const [, n, unit] of value.matchAll(/([\d.]+)(ms|s|m|h)/g)) ms += Number(n) * (unitMs[unit ?? ''] ?? 0);
    return ok(Math.round(ms));
  };
  return variable(name, fallback, what, 'duration such as 90s or 1h30m', parse);
}

/** Values separated by commas; blanks around them and empty ones are dropped. `item` is one whole value. */
export function list<D extends string | undefined>(
  name: string,
  fallback: D,
  what: string,
  details: Details & { readonly item?: RegExp } = {},
) {
  const parse = (value: string): Result<readonly string[], string> => {
    const items = value.split(',').map((item) => item.trim());
    const kept = items.filter((item) => item !== '');
    const wrong = kept.find((item) => details.item !== undefined && !details.item.test(item));
    if (wrong === undefined) return ok(Object.freeze(kept));
    return err(details.secret === true ? 'holds a wrong item' : `holds a wrong item: ${JSON.stringify(wrong)}`);
  };
  return variable(name, fallback, what, 'list separated by commas', parse, details);
}

/** A path of the file system, as written: whether it exists is found out by whoever opens it. */
export function path<D extends string | undefined>(name: string, fallback: D, what: string) {
  const parse = (value: string): Result<string, string> =>
    value.includes('\0') ? err('holds a NUL character') : ok(value);
  return variable(name, fallback, what, 'path', parse);
}

/** URLs separated by commas, each as `url` takes it: the servers of a cluster. */
export function urls<D extends string | undefined>(
  name: string,
  fallback: D,
  what: string,
  schemes: readonly string[],
) {
  const type = `URLs that begin with ${schemes.map((s) => `${s}://`).join(' or ')}, separated by commas`;
  const parse = (value: string): Result<readonly string[], string> => {
    const parts = value.split(',').map((part) => part.trim());
    if (!parts.every((part) => isUrl(part, schemes))) return err(`is not a list of ${type}`);
    return ok(Object.freeze(parts.map((part) => part.replace(/\/+$/, ''))));
  };
  return variable(name, fallback, what, type, parse, { secret: true });
}

function isUrl(value: string, schemes: readonly string[]): boolean {
  return schemes.some((s) => value.startsWith(`${s}://`)) && URL.canParse(value);
}

/** A URL with one of these schemes (without colon), as text without a trailing slash. It may hold a password and is not shown. */
export function url<D extends string | undefined>(name: string, fallback: D, what: string, schemes: readonly string[]) {
  const type = `URL that begins with ${schemes.map((s) => `${s}://`).join(' or ')}`;
  const parse = (value: string): Result<string, string> =>
    isUrl(value, schemes) ? ok(value.replace(/\/+$/, '')) : err(`is not a ${type}`);
  return variable(name, fallback, what, type, parse, { secret: true });
}

/** Origins as a browser writes them, separated by commas. `*` is none of them. */
export function origins<D extends string | undefined>(name: string, fallback: D, what: string) {
  const type = 'list of origins such as https://app.example.com, without a path, separated by commas';
  const parse = (value: string): Result<readonly string[], string> => {
    const items = value.split(',').map((item) => item.trim());
    const kept = items.filter((item) => item !== '');
    if (kept.includes('*')) return err('would let in the pages of everybody: name the origins, there is no *');
    const wrong = kept.find((item) => !isOrigin(item));
    return wrong === undefined ? ok(Object.freeze(kept)) : err(`is not a ${type}: ${JSON.stringify(wrong)}`);
  };
  return variable(name, fallback, what, type, parse);
}

function isOrigin(text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
