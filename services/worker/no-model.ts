// What a worker that cannot do without a model says where none is configured.
import { CortexError } from '#core/errors.ts';

/** Final: the next attempt finds none either, until somebody sets what the message names. */
export function noModel(): CortexError {
  const problem =
    'no model is configured: set OLLAMA_MODEL (and OLLAMA_URL where it is not on this machine), or describe one in config/models.yaml (MODELS_PATH)';
  return new CortexError('unavailable', problem, { final: true });
}
