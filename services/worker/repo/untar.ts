// Reads a gzip'd tar from anybody: regular files under plain relative names and nothing else, each once, within limits that hold while it
// is inflated. Nothing is written anywhere. What is against the rules refuses the whole archive: nobody sends such a thing by accident.
import { createGunzip } from 'node:zlib';
import { CortexError, invalid } from '#core/errors.ts';
import { type ByteReader, createByteReader } from './byte-reader.ts';
import { isPlainPath, showName, textOfName } from './names.ts';

export interface UntarLimits {
  /** Files, folders and extended headers. */
  readonly entries: number;
  /** Bytes of all names together. */
  readonly nameBytes: number;
  /** Bytes after inflating, whatever they are. */
  readonly inflatedBytes: number;
  /** Bytes out for each byte in; held against from `ratioFrom` bytes on. */
  readonly ratio: number;
  readonly ratioFrom: number;
}

export interface TarFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly name: Uint8Array;
  readonly bytes: number;
  readonly executable: boolean;
}

const block = 512;
/** Of one extended header: a name of the longest kind, and what others write beside it. */
const maxExtended = 64 * 1024;

const refusedKinds: Readonly<Record<string, string>> = {
  ...{ '1': 'a hard link', '2': 'a symbolic link', '3': 'a device', '4': 'a device', '6': 'a pipe' },
  ...{ K: 'a link with a long target', S: 'a sparse file' },
};

/**
 * Hands over each file; `take` gets a function that reads its bytes, and may leave it uncalled. Throws CortexError that names
 * `archive_ptr`: `invalid_argument` for what is no such archive, `out_of_range` beyond a limit; and what `take` throws.
 */
export async function untar(
  archive: Uint8Array,
  limits: UntarLimits,
  take: (file: TarFile, read: () => Promise<Uint8Array>) => Promise<void>,
): Promise<void> {
  const gunzip = createGunzip();
  gunzip.end(archive);
  try {
    await readTar(createByteReader(limited(gunzip, archive.length, limits)), limits, take);
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw wrong(`is not a gzip'd tar: ${error.message}`, error);
    }
    throw error;
  } finally {
    gunzip.destroy();
  }
}

async function* limited(
  stream: AsyncIterable<Uint8Array>,
  compressed: number,
  { inflatedBytes, ratio, ratioFrom }: UntarLimits,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > inflatedBytes) throw tooMuch(`has more than ${inflatedBytes} bytes when it is unpacked`);
    if (size > ratioFrom && size > ratio * compressed)
      throw tooMuch(`is unpacked to more than ${ratio} times its size`);
    yield chunk;
  }
}

async function readTar(
  reader: ByteReader,
  limits: UntarLimits,
  take: (file: TarFile, read: () => Promise<Uint8Array>) => Promise<void>,
): Promise<void> {
  const names = createNames(limits);
  let extended: Extended = {};
  for (;;) {
    const header = await reader.read(block);
    if (header === undefined) throw wrong('ends in the middle');
    if (header.every((byte) => byte === 0)) return; // what stands after it is nobody's
    names.entry();
    const { kind, size: own, name: short, executable } = readHeader(header);
    if (kind === 'x' || kind === 'L' || kind === 'g') {
      if (own > maxExtended) throw tooMuch(`has an extended header of ${own} bytes`);
      const body = await readBody(reader, own);
      if (kind === 'g') refuseGlobal(body);
      else extended = { ...extended, ...(kind === 'x' ? readPax(body) : { name: untilNul(body) }) };
      continue;
    }
    const name = extended.name ?? short;
    const bytes = extended.size ?? own;
    extended = {};
    const refused = refusedKinds[kind];
    if (refused !== undefined) throw wrong(`holds ${refused} (${showName(name)}); only files and folders are taken`);
    if (kind === '5') {
      if (bytes > 0) throw wrong(`holds a folder with content (${showName(name)})`);
      names.folder(name);
      continue;
    }
    if (kind !== '0' && kind !== '\0' && kind !== '7') {
      throw wrong(`holds something of the kind ${JSON.stringify(kind)} (${showName(name)})`);
    }
    const path = names.file(name);
    let unread = true;
    const read = (): Promise<Uint8Array> => {
      unread = false;
      return readBody(reader, bytes);
    };
    await take({ path, name: new TextEncoder().encode(path), bytes, executable }, read);
    if (unread && !(await reader.skip(padded(bytes)))) throw wrong('ends in the middle of a file');
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / block) * block;
}

async function readBody(reader: ByteReader, bytes: number): Promise<Uint8Array> {
  const body = await reader.read(padded(bytes));
  if (body === undefined) throw wrong('ends in the middle of a file');
  return body.subarray(0, bytes);
}

interface Header {
  readonly kind: string;
  readonly size: number;
  readonly name: Uint8Array;
  readonly executable: boolean;
}

function readHeader(header: Uint8Array): Header {
  let sum = 0;
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 0x20 : (header[i] ?? 0);
  if (octal(header.subarray(148, 156)) !== sum) throw wrong('has a header with a wrong checksum');
  const name = untilNul(header.subarray(0, 100));
  // POSIX alone has a prefix there; GNU keeps times in the same place.
  const isPosix = Buffer.from(header.subarray(257, 263)).toString('latin1') === 'ustar\0';
  const prefix = isPosix ? untilNul(header.subarray(345, 500)) : new Uint8Array(0);
  return {
    kind: String.fromCharCode(header[156] ?? 0),
    size: octal(header.subarray(124, 136)),
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    executable: (octal(header.subarray(100, 108)) & 0o100) !== 0,
  };
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Octal digits, with blanks around them. Larger numbers in binary would be larger than anything that is taken. */
function octal(field: Uint8Array): number {
  const text = Buffer.from(untilNul(field)).toString('latin1').trim();
  if (/^[0-7]{0,12}$/.test(text)) return text === '' ? 0 : Number.parseInt(text, 8);
  throw wrong('has a header with a number that is none');
}

interface Extended {
  readonly name?: Uint8Array;
  readonly size?: number;
}

/** The records of a pax header: `<length> <key>=<value>\n`. */
function paxRecords(body: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const digits = space < 0 ? '' : Buffer.from(body.subarray(at, space)).toString('latin1');
    const length = /^[1-9]\d{0,5}$/.test(digits) ? Number(digits) : 0;
    const record = body.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    if (length === 0 || at + length > body.length || body[at + length - 1] !== 0x0a || equals < 1) {
      throw wrong('has an extended header that cannot be read');
    }
    records.set(Buffer.from(record.subarray(0, equals)).toString('latin1'), record.subarray(equals + 1));
    at += length;
  }
  return records;
}

function readPax(body: Uint8Array): Extended {
  const records = paxRecords(body);
  for (const key of records.keys()) if (key.startsWith('GNU.sparse.')) throw wrong('holds a sparse file');
  const path = records.get('path');
  const size = records.get('size');
  const sizeText = size === undefined ? '' : Buffer.from(size).toString('latin1');
  if (size !== undefined && !/^\d{1,15}$/.test(sizeText)) throw wrong('has an extended header that cannot be read');
  return { ...(path === undefined ? {} : { name: path }), ...(size === undefined ? {} : { size: Number(sizeText) }) };
}

/** git writes one with the commit in it. One that names or sizes every file is nobody's. */
function refuseGlobal(body: Uint8Array): void {
  for (const key of paxRecords(body).keys()) {
    if (key !== 'comment' && !/^(mtime|atime|ctime|uid|gid|uname|gname|charset)$/.test(key)) {
      throw wrong(`has a header that sets ${JSON.stringify(key.slice(0, 40))} for all files`);
    }
  }
}

interface Names {
  entry(): void;
  folder(name: Uint8Array): void;
  /** The path of a new file. */
  file(name: Uint8Array): string;
}

function createNames({ entries, nameBytes }: UntarLimits): Names {
  const files = new Set<string>();
  const folders = new Set<string>();
  let count = 0;
  let bytes = 0;

  const read = (name: Uint8Array): string => {
    bytes += name.length;
    if (bytes > nameBytes) throw tooMuch(`has names with more than ${nameBytes} bytes together`);
    const text = textOfName(name);
    if (text === undefined) {
      throw wrong(
        `holds a name that is not UTF-8, is too long, or has control characters or a backslash: ${showName(name)}`,
      );
    }
    const path = text.replace(/^(\.\/)+/, '');
    if (path.startsWith('/')) throw wrong(`holds an absolute path: ${showName(name)}`);
    return path;
  };
  const add = (path: string, isFolder: boolean): void => {
    if (!isPlainPath(path)) throw wrong(`holds a path with "..", "." or an empty part: ${JSON.stringify(path)}`);
    if (files.has(path) || (!isFolder && folders.has(path))) throw wrong(`holds ${JSON.stringify(path)} twice`);
    (isFolder ? folders : files).add(path);
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const folder = path.slice(0, slash);
      if (files.has(folder)) throw wrong(`holds ${JSON.stringify(folder)} as a file and as a folder`);
      if (folders.has(folder)) break;
      folders.add(folder);
      // A name of a few kilobytes may have thousands of folders, each a text that is held and hashed.
      if (folders.size > entries) throw tooMuch(`has more than ${entries} folders`);
    }
  };

  return {
    entry() {
      if (++count > entries) throw tooMuch(`has more than ${entries} entries`);
    },
    folder(name) {
      const path = read(name).replace(/\/+$/, '');
      if (path !== '' && path !== '.') add(path, true);
    },
    file(name) {
      const path = read(name);
      add(path, false);
      return path;
    },
  };
}

function wrong(problem: string, cause?: unknown): CortexError {
  if (cause === undefined) return invalid('archive_ptr', problem);
  return new CortexError('invalid_argument', `archive_ptr: ${problem}`, { field: 'archive_ptr', cause });
}

function tooMuch(problem: string): CortexError {
  return new CortexError('out_of_range', `archive_ptr: ${problem}`, { field: 'archive_ptr' });
}
