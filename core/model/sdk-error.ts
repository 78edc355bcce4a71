// What the AI SDK throws, as our one error of models: its codes, and words without the key. Used by each driver that speaks through the SDK.
import { APICallError, InvalidResponseDataError, JSONParseError, TypeValidationError } from '@ai-sdk/provider';
import { faultOf, type HttpFault, oneLine, statusTold } from './fault.ts';
import { ModelError } from './model.ts';

/** The connection ended before the answer did. */
export const cut = (name: string, cause?: unknown): ModelError =>
  new ModelError('unavailable', `the answer of model ${name} was cut off`, { cause });

/** What came is no answer. */
export const garbage = (name: string, cause: unknown): ModelError =>
  new ModelError('internal', `model ${name} answered what is not its protocol`, { cause });

/** The same error, its words without the key: it is shown to whoever reads the job, and is logged. */
export function withoutKey(key: string | undefined, error: unknown): unknown {
  if (key === undefined || key === '') return error;
  if (typeof error === 'string') return error.replaceAll(key, '[key]');
  for (let one = error, depth = 0; isObject(one) && depth < 10; one = one['cause'], depth++) {
    for (const field of ['message', 'stack']) {
      const said = one[field];
      if (typeof said === 'string' && said.includes(key)) one[field] = said.replaceAll(key, '[key]');
    }
  }
  return error;
}

/** `taken`: the head of a success came. `now` in ms since the epoch. */
export function modelError(name: string, error: unknown, now: number, taken: boolean): ModelError {
  const answered = (fault: HttpFault, cause?: unknown): ModelError => {
    const { code, message, ...detail } = faultOf(name, fault, now);
    return new ModelError(code, message, { ...detail, cause });
  };
  if (error instanceof ModelError) return error;
  if (APICallError.isInstance(error)) {
    if (error.cause instanceof ModelError) return error.cause; // wire.ts ended the body
    const { statusCode: status, responseHeaders: headers = {} } = error;
    // The head of a success, and a body that ended early (fetch says so with a TypeError) or cannot be read.
    if (status !== undefined && status < 300)
      return error.cause instanceof TypeError ? cut(name, error) : garbage(name, error);
    // Anthropic's provider takes a first event that it cannot read for the server's own failure.
    if (/"AI_(JSONParse|TypeValidation)Error"/.test(error.responseBody ?? '')) return garbage(name, error);
    if (status === undefined) return answered({ status, headers, message: reach(error) }, error);
    // It also gives an error that is the first event a status, which is 500 for nearly all.
    const told = taken ? statusTold({ type: /^\{"type":"(\w+)"/.exec(error.responseBody ?? '')?.[1] }) : undefined;
    return answered({ status: told ?? status, headers, message: error.message }, error);
  }
  if (InvalidResponseDataError.isInstance(error) && /ended without a finish reason/.test(error.message))
    return cut(name);
  if (
    InvalidResponseDataError.isInstance(error) ||
    JSONParseError.isInstance(error) ||
    TypeValidationError.isInstance(error)
  ) {
    return garbage(name, error);
  }
  // An error that the provider sends in the midst of a stream is data, of any size, and no cause to log.
  const said = messageIn(error);
  if (said !== undefined) {
    const status = isObject(error) ? statusTold(error) : undefined;
    if (status !== undefined) return answered({ status, headers: {}, message: said });
    const brief = `model ${name} broke off`;
    return new ModelError('unavailable', `${brief}: ${oneLine(said)}`, { brief });
  }
  if (error instanceof TypeError) {
    // fetch says so about a connection that broke, and about a request that it cannot send, such as one with a key that no header can hold.
    if (taken) return cut(name, error);
    return new ModelError('internal', `model ${name} cannot be asked: ${oneLine(error.message)}`, { cause: error });
  }
  return new ModelError('internal', `model ${name} failed in an unknown way`, { cause: error });
}

function reach(error: APICallError): string {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}

function messageIn(error: unknown): string | undefined {
  if (error instanceof Error) return undefined;
  if (typeof error === 'string') return error;
  const message = isObject(error) ? error['message'] : undefined;
  return typeof message === 'string' ? message : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
