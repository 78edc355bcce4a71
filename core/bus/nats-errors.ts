// The NATS client's errors as ours. The classes are told by name: clients bundle their own copies of them.
import { CortexError } from '#core/errors.ts';

const codeOfWs: Readonly<Record<string, CortexError['code']>> = {
  AUTHORIZATION_VIOLATION: 'unauthenticated',
  AUTHENTICATION_EXPIRED: 'unauthenticated',
  PERMISSIONS_VIOLATION: 'permission_denied',
  BAD_SUBJECT: 'invalid_argument',
  TIMEOUT: 'deadline_exceeded',
};

/** `what` is what was tried. Anything that is not known for certain counts as `unavailable`: the connection is to blame. */
export function mapNatsError(error: unknown, what: string): CortexError {
  if (error instanceof CortexError) return error;
  if (!(error instanceof Error)) return new CortexError('internal', what, { cause: error });
  const message = `${what}: ${error.message}`;
  switch (error.name) {
    case 'InvalidArgumentError':
    case 'InvalidSubjectError':
      return new CortexError('invalid_argument', message, { cause: error });
    case 'PermissionViolationError':
      return new CortexError('permission_denied', message, { cause: error });
    case 'AuthorizationError':
    case 'UserAuthenticationExpiredError':
      return new CortexError('unauthenticated', message, { cause: error });
    case 'TimeoutError':
      return new CortexError('deadline_exceeded', message, { cause: error });
    case 'NoResponders':
      return new CortexError('not_found', message, { cause: error });
    case 'RequestError': {
      // A request wraps what happened to it.
      const { cause } = error;
      if (cause instanceof Error && cause !== error) return mapNatsError(cause, what);
      return new CortexError('unavailable', message, { cause: error });
    }
    case 'TypeError':
    case 'InvalidOperationError':
      return new CortexError('internal', message, { cause: error });
    // nats.ws has one class for all, and names the kind in a code.
    case 'NatsError':
      return new CortexError(codeOfWs[String((error as { code?: unknown }).code)] ?? 'unavailable', message, {
        cause: error,
      });
    default:
      return new CortexError('unavailable', message, { cause: error });
  }
}
