// The variables on which the context engine and its callers must agree.
import { address, text } from '#core/process/variables.ts';

export const contextEnv = {
  contextAddr: address(
    'CONTEXT_ENGINE_ADDR',
    'localhost:50070',
    'where the context engine listens, and where it is dialled',
  ),
  contextToken: text(
    'CONTEXT_ENGINE_TOKEN',
    undefined,
    'when set, the context engine answers only callers that send it',
    { secret: true, pattern: /^[\x21-\x7e]{16,512}$/, type: 'text of 16 to 512 visible ASCII characters' },
  ),
};
