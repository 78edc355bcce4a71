// The variables of the CLI, for its help and for the table in the README. Each is read where it is needed.
import type { EnvRow } from '#core/process/env.ts';

export const cliEnv: readonly EnvRow[] = [
  row('CORTEX_URL', 'the gateway; without it the one that npm start runs from this checkout'),
  row('CORTEX_API_KEY', 'the key to show; there is no option for it, since others can see a command line'),
  row('API_KEYS_PATH', 'the file that keys add, list and remove work on, and that config push takes'),
  row('REDIS_URL', 'the Redis that config push and config show work on; without it the one of npm start'),
  row('SAFETY_POLICY_PATH', 'the policy that config push takes; without it config/safety.yaml'),
  row('POOL_CONFIG_PATH', 'the pools that config push takes; without it config/pools.yaml'),
  row('TIMEOUT_CONFIG_PATH', 'the time-outs that config push takes; without it config/timeouts.yaml'),
  row('CONTEXT_ENGINE_ADDR', 'the context engine that context asks; without it the one of npm start'),
  row('CONTEXT_ENGINE_TOKEN', 'what that engine wants to be shown'),
  row('NO_COLOR', 'no colours'),
  row('FORCE_COLOR', 'colours, even where they go into a pipe; 0: none'),
];

function row(name: string, what: string): EnvRow {
  return { name, default: '', type: 'text', what };
}
