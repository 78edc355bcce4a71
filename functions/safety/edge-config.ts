// What the safety kernel reads from its environment in workerd. The policy comes from Redis (`cortex config push`).
import { kernelEnv } from '#core/policy/kernel-env.ts';
import { type Env, parseEnv } from '#core/process/env.ts';
import { edgeEnv } from '../http/edge-env.ts';

export const safetyEdgeEnv = { ...edgeEnv, token: kernelEnv.token };

/** Throws EnvError with every problem. */
export const parseSafetyEdgeConfig = (env: Env) => parseEnv(safetyEdgeEnv, env);
