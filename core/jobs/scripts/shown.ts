// What readers see of a record, and what stands before the scripts that read it.
import type { Script } from '#core/redis/redis.ts';
import { jobScript } from './prelude.ts';

/** The fields of a record that readers see, in the order in which those scripts answer them. */
export const shownFields = [
  // These three are those of the prelude's `record`.
  ...(['state', 'tenant', 'fence'] as const),
  // The fourth, says look.
  'result_ptr',
  ...(['topic', 'trace', 'principal', 'parent', 'created', 'updated_at', 'started', 'ended', 'stopped'] as const),
  ...(['deadline', 'safety_decision', 'safety_reason', 'rule', 'policy', 'pool', 'worker'] as const),
  ...([
    'attempts',
    'failures',
    'losses',
    'exec_ms',
    'error_code',
    'error',
    'arts',
    'prog',
    'apprby',
    'out',
    'final',
  ] as const),
] as const;

const names = shownFields
  .slice(3)
  .map((field) => `'${field}'`)
  .join(',');

/** A job script with `shown(id)`: the values of these fields, false for those that are not there. */
export function readScript(name: string, body: string): Script {
  return jobScript(name, `\nlocal function shown(id) return record(id,${names}) end\n${body}`);
}
