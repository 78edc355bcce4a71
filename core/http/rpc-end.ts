// Sees every end of a call on a server, also of one whose message could not be read and that no interceptor hears of. Connect aborts
// a call's signal when it is over: with the error before it is sent, or with none.
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import type { CortexError } from '#core/errors.ts';
import { fromConnectError } from './errors.ts';

/**
 * Calls `ended` once: with what the call failed with, or undefined (also for a client that left, where the runtime does not say so).
 * A message that is not protobuf becomes the sender's fault.
 */
export function watchEnd({ signal }: HandlerContext, ended: (error: CortexError | undefined) => void): void {
  const end = (): void => {
    const reason: unknown = signal.reason;
    if (reason instanceof ConnectError) {
      blameSender(reason);
      ended(fromConnectError(reason));
    } else ended(undefined);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
}

/** Connect calls bytes that are no message `internal`, where for JSON it says `invalid_argument`; it makes the error itself. */
function blameSender(error: ConnectError): void {
  if (error.code === Code.Internal && error.rawMessage.startsWith('parse binary: ')) {
    Object.assign(error, { code: Code.InvalidArgument });
  }
}
