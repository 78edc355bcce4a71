// JSON from outside: bounded in depth, free of `__proto__`, and an error that says where. Not a schema check.
import { CortexError, invalid } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { describeFault } from './json-fault.ts';

export interface JsonLimits {
  /** Arrays and objects inside each other. Default 64. */
  readonly maxDepth?: number;
}

/** Parses bytes as JSON. The error is `invalid_argument` and names the field or the byte offset. */
export function parseJson(bytes: Uint8Array, { maxDepth = 64 }: JsonLimits = {}): Result<unknown> {
  const tooDeep = depthExceededAt(bytes, maxDepth);
  if (tooDeep !== undefined) {
    return err(invalid('body', `is nested more than ${maxDepth} levels deep (byte ${tooDeep})`));
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    return err(new CortexError('invalid_argument', 'body: is not UTF-8', { field: 'body', cause: error }));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = `body: ${describeFault(text)}`;
    return err(new CortexError('invalid_argument', message, { field: 'body', cause: error }));
  }
  // Written plainly or with an escape; only then is the walk worth its time.
  const field = /__proto__|\\u/.test(text) ? protoKey(value) : undefined;
  return field === undefined ? ok(value) : err(invalid(field, 'is not a permitted name'));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
const [quote, backslash, openArray, closeArray, openObject, closeObject] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** The offset of the bracket that goes too deep. Looked at before parsing, so that nothing recursive ever sees it. */
export function depthExceededAt(bytes: Uint8Array, maxDepth: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === backslash) i++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === openObject || byte === openArray) {
      if (++depth > maxDepth) return i;
    } else if (byte === closeObject || byte === closeArray) depth--;
  }
  return undefined;
}

/** The path of the first key `__proto__`: harmless in itself, and a trap for whoever copies the object key by key. */
function protoKey(value: unknown): string | undefined {
  const path = protoPath(value);
  // The path is put together here alone: a text for each of a million numbers took two seconds.
  return path?.reduceRight<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** The steps to it, innermost first. */
function protoPath(value: unknown): (string | number)[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    for (const [i, item] of items.entries()) {
      const path = protoPath(item);
      if (path !== undefined) return [...path, i];
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    if (key === '__proto__') return [key];
    const path = protoPath(item);
    if (path !== undefined) return [...path, key];
  }
  return undefined;
}
