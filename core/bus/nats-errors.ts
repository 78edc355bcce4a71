// The NATS client's errors as ours. The classes are told by name: clients bundle their own copies of them.
import { CortexError } from '#core/errors.ts';

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
    default:
      return new CortexError('unavailable', message, { cause: error });
  }
}
