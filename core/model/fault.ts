// What a provider's failure means: its HTTP status and headers as one of our codes. Status first, since texts differ and change.
import type { ErrorCode } from '#core/errors.ts';

export interface HttpFault {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** What the provider said, if it said anything readable. */
  readonly message: string;
}

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  /** The message without what the provider said. */
  readonly brief: string;
  readonly retryAfterMs: number | undefined;
}

/** `now` in ms since the epoch: retry-after may be a date. */
export function faultOf(model: string, { status, headers, message }: HttpFault, now: number): Fault {
  // What is said about a key may show the key, and whoever reads the job's error need not be who owns it.
  const said = status === 401 || status === 403 ? 'it does not take the key that key_env names' : oneLine(message);
  const tail = said === '' || status === undefined ? '' : `: ${said}`;
  const brief = status === undefined ? unreachable(model, said) : `model ${model} answered ${status}`;
  return { code: codeOf(status), message: `${brief}${tail}`, brief, retryAfterMs: retryAfterMs(headers, now) };
}

/** What OpenAI and Anthropic write where others give a number. */
const statuses: ReadonlyMap<unknown, number> = new Map([
  ['invalid_request_error', 400],
  ['context_length_exceeded', 400],
  ['authentication_error', 401],
  ['billing_error', 402],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['request_too_large', 413],
  ['rate_limit_error', 429],
  ['rate_limit_exceeded', 429],
  ['insufficient_quota', 429],
  ['api_error', 500],
  ['server_error', 500],
  ['timeout_error', 504],
  ['overloaded_error', 529],
]);

/** The status that an error stands for which came in the midst of a success, by its `code`, `status` or `type`; undefined: it names none. */
export function statusTold(error: Readonly<Record<string, unknown>>): number | undefined {
  for (const said of [error['code'], error['status'], error['type']]) {
    const isNumber = (typeof said === 'number' || typeof said === 'string') && /^[45]\d\d$/.test(`${said}`);
    const status = isNumber ? Number(said) : statuses.get(said);
    if (status !== undefined) return status;
  }
  return undefined;
}

function unreachable(model: string, said: string): string {
  const why = said === '' ? '' : ` (${said})`;
  return `model ${model} cannot be reached${why}: set OLLAMA_URL, or its base_url in config/models.yaml`;
}

function codeOf(status: number | undefined): ErrorCode {
  switch (status) {
    case undefined:
    case 408:
    case 409:
    case 425:
      return 'unavailable';
    case 400:
    case 422:
      return 'invalid_argument';
    case 401:
      return 'unauthenticated';
    case 402:
    case 403:
      return 'permission_denied';
    case 404:
      return 'not_found';
    case 413:
      return 'out_of_range';
    case 429:
      return 'resource_exhausted';
    default:
      return status >= 500 ? 'unavailable' : 'internal';
  }
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date; undefined for none and for what cannot be read. */
export function retryAfterMs(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const ms = headers['retry-after-ms'];
  if (ms !== undefined && /^\d{1,9}(\.\d+)?$/.test(ms)) return Math.ceil(Number(ms));
  const after = headers['retry-after']?.trim();
  if (after === undefined || after === '') return undefined;
  if (/^\d{1,7}(\.\d+)?$/.test(after)) return Math.ceil(Number(after) * 1_000);
  // A number that the rule above does not take is none that Date.parse may guess at.
  const at = /^[A-Za-z]/.test(after) ? Date.parse(after) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** At most 200 characters without breaks: it becomes part of a job's error. */
export function oneLine(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length > 200 ? `${flat.slice(0, 200)}...` : flat;
}
