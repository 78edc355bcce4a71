// What the safety kernel reads from its environment.
import { kernelEnv } from '#core/policy/kernel-env.ts';
import { path } from '#core/process/variables.ts';

export const safetyEnv = {
  ...kernelEnv,
  policyPath: path('SAFETY_POLICY_PATH', 'config/safety.yaml', 'the policy; read again when it changes'),
};

/** The port of METRICS_ADDR. */
export const safetyMetricsPort = 9093;
