// Packs a folder of this machine for a review, with the scanner's own code: the same patterns, limits and rules about links as where a
// worker reads the folder itself.
import { parse } from 'node:path';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import { repoScanContext } from '#core/protocol/repo-payloads.ts';
import { noFetch, scan, scanLimits } from '../../services/worker/repo/scanner.ts';
import { Stop } from '../bootstrap/stop.mjs';
import { exit } from './exit.ts';
import type { Output } from './output.ts';
import { oneLine } from './text.ts';

export interface Packed {
  readonly archive: Uint8Array<ArrayBuffer>;
  readonly files: number;
  /** Bytes of the files. */
  readonly total: number;
  /** What is not in it, by reason. */
  readonly left: Readonly<Record<string, number>>;
}

interface Globs {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

interface Tools {
  readonly out: Output;
  readonly signal: AbortSignal;
}

/** `folder` is a real path. Throws Stop for what cannot be packed, and the signal's reason. */
export async function packFolder(folder: string, { include, exclude }: Globs, { out, signal }: Tools): Promise<Packed> {
  const begin = performance.now();
  const request = { local_path: folder, include_globs: [...include], exclude_globs: [...exclude] };
  let archive = new Uint8Array(0);
  try {
    const result = await scan(
      repoScanContext.parse(request),
      // Whoever calls may read what he may read; git's work tree may begin above the folder.
      { ...scanLimits, ...noFetch, roots: [parse(folder).root], minFiles: 0 },
      {
        signal,
        log: { ...silentLog, warn: (message) => out.note(`packing: ${message}`) },
        progress(percent, message) {
          // At the end it would store the archive; here that is another matter.
          if (out.live && percent < 95) out.progress(`packing: ${message}`, (performance.now() - begin) / 1000);
        },
        async store(bytes) {
          archive = new Uint8Array(bytes);
          return '';
        },
      },
    );
    const { files, skipped_counts: left } = result;
    if (files.length === 0) {
      const why = Object.entries(left).map(([reason, count]) => `${count} ${reason.replaceAll('_', ' ')}`);
      const reasons = why.length === 0 ? 'it is empty' : `left out: ${why.join(', ')}`;
      throw new Stop(`review: ${oneLine(folder)}: there is nothing to review (${reasons})`, exit.usage);
    }
    return { archive, files: files.length, total: files.reduce((sum, file) => sum + file.bytes, 0), left };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof CortexError)) throw error;
    throw new Stop(`review: ${oneLine(error.message.replace(/^local_path/, folder))}`, exit.usage);
  } finally {
    out.done();
  }
}
