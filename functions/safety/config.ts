// What the safety kernel reads from its environment.
import { kernelEnv } from '#core/policy/kernel-env.ts';
import { type Env, EnvError, type EnvValues, readEnv } from '#core/process/env.ts';
import { path } from '#core/process/variables.ts';

export const safetyEnv = {
  ...kernelEnv,
  policyPath: path('SAFETY_POLICY_PATH', 'config/safety.yaml', 'the policy; read again when it changes'),
  tlsCert: path(
    'SAFETY_KERNEL_TLS_CERT',
    undefined,
    'certificate chain (PEM) for SAFETY_KERNEL_ADDR; together with SAFETY_KERNEL_TLS_KEY',
  ),
  tlsKey: path('SAFETY_KERNEL_TLS_KEY', undefined, 'private key (PEM) for SAFETY_KERNEL_ADDR'),
};

/** The port of METRICS_ADDR. */
export const safetyMetricsPort = 9093;

export type SafetyConfig = EnvValues<typeof safetyEnv>;

/** Throws EnvError with every problem. */
export function parseSafetyConfig(env: Env): SafetyConfig {
  const read = readEnv(safetyEnv, env);
  if (!read.ok) throw new EnvError(read.error);
  if ((read.value.tlsCert === undefined) === (read.value.tlsKey === undefined)) return read.value;
  throw new EnvError(['SAFETY_KERNEL_TLS_CERT: goes together with SAFETY_KERNEL_TLS_KEY; one of them is not set']);
}
