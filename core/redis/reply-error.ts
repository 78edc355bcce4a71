// What a Redis server refuses, as our errors: its first word decides, for TCP and REST alike.
import { CortexError, type ErrorCode } from '#core/errors.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  // It cannot now, and said so before it did anything.
  LOADING: 'unavailable',
  READONLY: 'unavailable',
  MASTERDOWN: 'unavailable',
  CLUSTERDOWN: 'unavailable',
  TRYAGAIN: 'unavailable',
  NOREPLICAS: 'unavailable',
  MISCONF: 'unavailable',
  BUSY: 'unavailable',
  OOM: 'resource_exhausted',
  NOAUTH: 'unauthenticated',
  WRONGPASS: 'unauthenticated',
  NOPERM: 'permission_denied',
};

/** The error for a refusal. `what` says what was tried; the server's own words are in the cause, for the log. */
export function replyError(what: string, refusal: string, cause: unknown): CortexError {
  const word = /^[A-Z]+/.exec(refusal)?.[0] ?? '';
  const code = codes[word];
  if (code === undefined) return new CortexError('internal', `Redis refused ${what}`, { cause });
  return new CortexError(code, `Redis refused ${what}: ${word}`, { cause });
}

/** Whether the server does not know a script: nothing ran, so it may be loaded and sent again. */
export function isNoScript(refusal: string): boolean {
  return refusal.startsWith('NOSCRIPT');
}
