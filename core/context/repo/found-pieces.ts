// What a search found, as pieces of a window.
import type { Piece } from '../piece.ts';
import { textOf } from './chunk.ts';
import type { FoundChunk } from './search.ts';

/** The text of a chunk from the bytes of its file, without the line feed behind its last line. */
export function chunkText(file: Uint8Array, { start, end }: Pick<FoundChunk, 'start' | 'end'>): string {
  const text = textOf(file, start, end);
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

/** Best first; scores from 0 to 1, the best having 1. A chunk whose file is not at hand is left out. */
export function foundPieces(found: readonly FoundChunk[], files: ReadonlyMap<string, Uint8Array>): Piece[] {
  const most = found[0]?.score ?? 1;
  return found.flatMap((chunk): Piece[] => {
    const bytes = files.get(chunk.fingerprint);
    if (bytes === undefined) return [];
    return [
      {
        source: chunk.path,
        lines: { first: chunk.from, last: chunk.to },
        score: chunk.score / most,
        reason: chunk.reason,
        within: chunk.scopes.length === 0 ? undefined : chunk.scopes.join(' > '),
        text: chunkText(bytes, chunk),
      },
    ];
  });
}
