// The Idempotency-Key of a request: header or `meta.idempotency_key`, one and the same where both are given.
import { CortexError, invalid } from '#core/errors.ts';

export const idempotencyHeader = 'Idempotency-Key';
/** On the answer to a submission that made no new job. */
export const replayedHeader = 'Idempotent-Replayed';

/** The key, empty for none. Throws `invalid_argument`: not 1 to 255 visible ASCII characters, or header and body differ. */
export function idempotencyKey(header: string | undefined, inBody = ''): string {
  const key = header ?? inBody;
  const field = header === undefined ? 'meta.idempotency_key' : idempotencyHeader;
  if (header === undefined && key === '') return '';
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw invalid(field, 'must be 1 to 255 visible ASCII characters');
  if (inBody === '' || inBody === key) return key;
  const message = `meta.idempotency_key: is not the one of the header ${idempotencyHeader}`;
  throw new CortexError('invalid_argument', message, { field: 'meta.idempotency_key' });
}
