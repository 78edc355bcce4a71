// Why an address cannot be listened on, in words for the person who configured it. Nothing is tried here.
import type { ErrorCode } from '#core/errors.ts';
import { type Address, formatAddress } from './address.ts';

/** The reason in a system's error. A port that is taken is told without its holder: only the system itself may know that. */
export function listenFault(error: unknown, addr: Address): { readonly code: ErrorCode; readonly message: string } {
  const told: Record<string, [ErrorCode, string]> = {
    EADDRINUSE: ['failed_precondition', `port ${addr.port} is taken by another process`],
    EACCES: ['failed_precondition', `this user may not listen on port ${addr.port}`],
    EADDRNOTAVAIL: ['invalid_argument', `this machine has no address ${addr.host}`],
    EAFNOSUPPORT: ['invalid_argument', `this machine has no address ${addr.host}`],
    ENOTFOUND: ['invalid_argument', `the host ${addr.host} is unknown`],
    EAI_AGAIN: ['invalid_argument', `the host ${addr.host} cannot be found: no name server answers`],
  };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const known = typeof code === 'string' ? told[code] : undefined;
  if (known !== undefined) return { code: known[0], message: known[1] };
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message: `cannot listen on ${formatAddress(addr)}: ${reason}` };
}
