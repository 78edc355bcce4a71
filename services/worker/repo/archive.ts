// The archive of a scan: a tar.gz of the files, byte for byte the same for the same files: no times, no owners, paths in the order given.
// It holds regular files alone, by relative paths.
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { createGzip } from 'node:zlib';
import { createTarPacker } from 'modern-tar';
import { CortexError } from '#core/errors.ts';

export interface ArchiveFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

export interface Archive {
  add(file: ArchiveFile): Promise<void>;
  /** The archive's bytes. Nothing may be added any more. */
  finish(): Promise<Uint8Array>;
  /** Gives up; for when it is not finished. Idempotent. */
  cancel(reason: unknown): void;
}

/** Every call throws CortexError `out_of_range` once the archive has more than `maxBytes`. */
export function createArchive(maxBytes: number): Archive {
  const { readable, controller } = createTarPacker();
  const input = Readable.fromWeb(readable as ReadableStream);
  const gzip = createGzip();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const done = new Promise<void>((resolve, reject) => {
    gzip.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else
        gzip.destroy(new CortexError('out_of_range', `archive: has more than ${maxBytes} bytes; include fewer files`));
    });
    gzip.on('end', resolve);
    gzip.on('error', reject);
  });
  done.catch((error: unknown) => controller.error(error)); // the next call tells
  input.on('error', (error) => gzip.destroy(error));
  input.pipe(gzip);

  return {
    async add({ path, bytes, executable }) {
      const owner = { uid: 0, gid: 0, uname: '', gname: '' };
      const header = { name: path, size: bytes.length, mtime: new Date(0), mode: executable ? 0o755 : 0o644, ...owner };
      const writer = controller.add({ ...header, type: 'file' }).getWriter();
      if (bytes.length > 0) await writer.write(bytes);
      await writer.close();
    },
    async finish() {
      controller.finalize();
      await done;
      const archive = new Uint8Array(size);
      let at = 0;
      for (const chunk of chunks) {
        archive.set(chunk, at);
        at += chunk.length;
      }
      return archive;
    },
    cancel(reason) {
      controller.error(reason);
      gzip.destroy();
    },
  };
}
