// The variables on which a safety kernel and its callers must agree, and those of its callers.
import type { EnvValues } from '#core/process/env.ts';
import { address, bool, path, text } from '#core/process/variables.ts';

export const kernelEnv = {
  addr: address('SAFETY_KERNEL_ADDR', 'localhost:50051', 'where the safety kernel listens, and where it is dialled'),
  token: text('SAFETY_KERNEL_TOKEN', undefined, 'when set, the kernel judges only for callers that send it', {
    secret: true,
    pattern: /^[\x21-\x7e]{16,512}$/,
    type: 'text of 16 to 512 visible ASCII characters',
  }),
};

export const kernelClientEnv = {
  ...kernelEnv,
  kernelCa: path(
    'SAFETY_KERNEL_TLS_CA',
    undefined,
    'the authorities (PEM) that must vouch for the safety kernel, and no others; it is then dialled with TLS',
  ),
  kernelInsecure: bool(
    'SAFETY_KERNEL_INSECURE',
    undefined,
    'true: the safety kernel is dialled without TLS, whatever else is set; false: with TLS; unset: with TLS if SAFETY_KERNEL_TLS_CA is set',
  ),
};

/** Whether callers dial the kernel with TLS: without a word about it they do not, as in the original. */
export function dialsTls({
  kernelCa,
  kernelInsecure,
}: Pick<EnvValues<typeof kernelClientEnv>, 'kernelCa' | 'kernelInsecure'>): boolean {
  return !(kernelInsecure ?? kernelCa === undefined);
}
