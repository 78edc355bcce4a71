// Tars written by hand, so that a test can put into one what no packer would.
import { gzipSync } from 'node:zlib';

export interface RawEntry {
  readonly name?: string | Uint8Array;
  readonly type?: string;
  readonly body?: string | Uint8Array;
  readonly link?: string;
  readonly mode?: number;
  /** What the header says; default: what there is. */
  readonly size?: number | string;
  readonly prefix?: string;
  readonly checksum?: number;
}

const bytesOf = (value: string | Uint8Array): Buffer =>
  typeof value === 'string' ? Buffer.from(value) : Buffer.from(value);

/** A header and its body. */
export function entry({
  name = 'a.ts',
  type = '0',
  body = '',
  link = '',
  mode = 0o644,
  size,
  prefix = '',
  checksum,
}: RawEntry): Buffer {
  const content = bytesOf(body);
  const header = Buffer.alloc(512);
  bytesOf(name).copy(header, 0, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(
    typeof size === 'string' ? size : `${(size ?? content.length).toString(8).padStart(11, '0')}\0`,
    124,
    'latin1',
  );
  header.write('00000000000\0', 136);
  header.write(type, 156, 'latin1');
  header.write(link, 157);
  header.write('ustar\0', 257);
  header.write('00', 263);
  header.write(prefix, 345);
  header.write('        ', 148);
  const sum = checksum ?? header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc(-content.length & 511)]);
}

/** The body of a pax header. */
export function pax(records: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), bytesOf(value), Buffer.from('\n')]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  return Buffer.concat(lines);
}

export function tar(...entries: readonly (RawEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((one) => (Buffer.isBuffer(one) ? one : entry(one))), Buffer.alloc(1024)]);
}

export function tgz(...entries: readonly (RawEntry | Buffer)[]): Buffer {
  return gzipSync(tar(...entries));
}
