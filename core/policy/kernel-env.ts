// The two variables on which a safety kernel and its callers must agree.
import { address, text } from '#core/process/variables.ts';

export const kernelEnv = {
  addr: address('SAFETY_KERNEL_ADDR', 'localhost:50051', 'where the safety kernel listens, and where it is dialled'),
  token: text('SAFETY_KERNEL_TOKEN', undefined, 'when set, the kernel judges only for callers that send it', {
    secret: true,
    pattern: /^[\x21-\x7e]{16,512}$/,
    type: 'text of 16 to 512 visible ASCII characters',
  }),
};
