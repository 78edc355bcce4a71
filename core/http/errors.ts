// One error, three faces: CortexError inside, problem JSON (RFC 9457) at the HTTP edge, ConnectError at the RPC edge.
// What lies behind an error (`cause`, a message that is not ours) is for the log and never crosses an edge.
import type { FieldProblem } from '#core/field-problem.ts';
import { Code, ConnectError } from '@connectrpc/connect';
import { CortexError, type ErrorCode, type ErrorDetail, toCortexError } from '#core/errors.ts';

export type { FieldProblem };

export interface HttpDetail extends ErrorDetail {
  /** Every wrong field, where there is more than one. */
  readonly errors?: readonly FieldProblem[];
  /** For the answer: `Retry-After`, `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error whose HTTP status is finer than its code says: 413, 415, 422. Other edges see the code alone. */
export class HttpError extends CortexError {
  readonly status: number;
  readonly errors: readonly FieldProblem[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, detail: HttpDetail = {}) {
    super(code, message, detail);
    this.name = 'HttpError';
    this.status = status;
    this.errors = detail.errors;
    this.headers = detail.headers ?? {};
  }
}

/** Several wrong fields in one answer. */
export function invalidFields(errors: readonly FieldProblem[]): HttpError {
  const [first] = errors;
  const detail = first === undefined ? {} : { field: first.field };
  return new HttpError(400, 'invalid_argument', errors.map((e) => `${e.field}: ${e.detail}`).join('; '), {
    ...detail,
    errors,
  });
}

const httpStatuses: Readonly<Record<ErrorCode, number>> = {
  canceled: 499, // the client went away; nobody reads it, but the count of requests by status does
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409, // 412 speaks of If-Match headers; this is about the state of the thing
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** The HTTP status of an error. */
export function httpStatus(error: CortexError): number {
  return error instanceof HttpError ? error.status : httpStatuses[error.code];
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** The error as others may see it: ours is told, anything else is only said to have happened. */
export function publicError(error: unknown): CortexError {
  const known = toCortexError(error);
  if (known === error || known.code === 'canceled' || known.code === 'deadline_exceeded') return known;
  return new CortexError(known.code, 'something went wrong inside; the log has it under the id of this request', {
    cause: error,
  });
}

export interface ProblemBody {
  /** `about:blank`, as RFC 9457 has it where status and title say what it is; `code` tells the finer kind. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** One of the sixteen codes. */
  readonly code: ErrorCode;
  readonly field?: string;
  readonly errors?: readonly FieldProblem[];
  /** The id of the request, as in its `X-Request-Id`. */
  readonly instance?: string;
}

export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ProblemBody;
}

export const problemType = 'application/problem+json';

/** Anything thrown as problem JSON. It does not log. */
export function problem(error: unknown, requestId?: string): Problem {
  const shown = publicError(error);
  const status = httpStatus(shown);
  const extra = shown instanceof HttpError ? shown : undefined;
  return {
    status,
    headers: { ...extra?.headers, 'content-type': problemType },
    body: {
      type: 'about:blank',
      title: titles[status] ?? shown.code,
      status,
      detail: shown.message,
      code: shown.code,
      ...(shown.field === undefined ? {} : { field: shown.field }),
      ...(extra?.errors === undefined ? {} : { errors: extra.errors }),
      ...(requestId === undefined ? {} : { instance: requestId }),
    },
  };
}

/** The same as a Response. */
export function problemResponse(error: unknown, requestId?: string): Response {
  const { status, headers, body } = problem(error, requestId);
  return new Response(JSON.stringify(body), { status, headers });
}

/** Carries the field over RPC, where an error has no place for it. */
const fieldHeader = 'cortex-field';

/** Our code names are Connect's in snake case; its enum has them as numbers. */
const connectCodes: Readonly<Record<ErrorCode, Code>> = {
  canceled: Code.Canceled,
  unknown: Code.Unknown,
  invalid_argument: Code.InvalidArgument,
  deadline_exceeded: Code.DeadlineExceeded,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  resource_exhausted: Code.ResourceExhausted,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  out_of_range: Code.OutOfRange,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
  unavailable: Code.Unavailable,
  data_loss: Code.DataLoss,
  unauthenticated: Code.Unauthenticated,
};
const codeNames = new Map<Code, ErrorCode>(
  Object.entries(connectCodes).map(([name, code]) => [code, name as ErrorCode] as const),
);

/** Anything thrown by a handler as what Connect sends. Connect's own errors pass as they are. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const shown = publicError(error);
  const retryAfter = shown instanceof HttpError ? shown.headers['retry-after'] : undefined;
  const metadata = {
    ...(shown.field === undefined ? {} : { [fieldHeader]: encodeURIComponent(shown.field) }),
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  };
  return new ConnectError(shown.message, connectCodes[shown.code], metadata);
}

/** Anything thrown by a client as a CortexError; the original is its cause. */
export function fromConnectError(error: unknown): CortexError {
  if (error instanceof CortexError) return error;
  const wire = ConnectError.from(error);
  const field = wire.metadata.get(fieldHeader);
  return new CortexError(codeNames.get(wire.code) ?? 'unknown', wire.rawMessage, {
    cause: error,
    ...(field === null ? {} : { field: decoded(field) }),
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text; // a foreign server's own header of that name
    throw error;
  }
}
