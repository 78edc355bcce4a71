// Names of uploaded archives: `redis://archive:<tenant>:<sha256>`. A content has one name, so that the same content is uploaded once and a
// submission that is repeated is the same submission. The tenant is in the name, and whoever reads it compares that with his own.
import { CortexError, invalid } from '#core/errors.ts';
import { formatPointer, parsePointer } from '#core/protocol/pointer.ts';
import { err, ok, type Result } from '#core/result.ts';

/** Of a whole archive: as large as the archive that a scan makes. */
export const maxArchiveBytes = 64 * 2 ** 20;

/** Of each part but the last. As base64 it stays well below the megabyte that a request to Redis by REST may have. */
export const archivePartBytes = 512 * 1024;

/** SHA-256 in lower case. */
export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

export function archiveParts(bytes: number): number {
  return Math.ceil(bytes / archivePartBytes);
}

export function archiveKey(tenant: string, sha256: string): string {
  return `archive:${tenant}:${sha256}`;
}

export function archivePointer(tenant: string, sha256: string): string {
  return formatPointer(archiveKey(tenant, sha256));
}

/** The digest that a pointer of this tenant names. What is another tenant's does not exist. */
export function parseArchivePointer(pointer: string, tenant: string, field = 'archive_ptr'): Result<string> {
  const key = parsePointer(pointer, field);
  if (!key.ok) return key;
  const sha256 = key.value.slice(key.value.lastIndexOf(':') + 1);
  if (!key.value.startsWith('archive:') || !isSha256(sha256)) {
    return err(invalid(field, 'must name an uploaded archive: redis://archive:<tenant>:<sha256>'));
  }
  return key.value === archiveKey(tenant, sha256) ? ok(sha256) : err(noArchive(field));
}

/** It was never there, or its time is over. */
export function noArchive(field = 'archive_ptr'): CortexError {
  return new CortexError('not_found', `${field}: there is no such archive any more; upload it again`, { field });
}
