// A context engine that is away.
import type { Engine } from '#core/context/engine.ts';
import { CortexError } from '#core/errors.ts';

const away = (): Promise<never> => Promise.reject(new CortexError('unavailable', 'the context engine is away'));

export const noEngine: Engine = { window: away, ingest: away };
