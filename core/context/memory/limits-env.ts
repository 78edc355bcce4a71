// What memories may take. Every process that writes to them reads these, because the script that writes keeps the bounds.
import type { EnvValues } from '#core/process/env.ts';
import { duration, int } from '#core/process/variables.ts';
import { type MemoryLimits, memoryLimits } from './log.ts';

export const memoryEnv = {
  memoryTtl: duration('MEMORY_TTL', '2160h', 'how long a memory is kept after it was written last'),
  memoryEntries: int('MEMORY_MAX_ENTRIES', String(memoryLimits.entries), 'entries of one memory; the oldest go', {
    min: 2,
    max: 1_000_000,
  }),
  memoryBytes: int('MEMORY_MAX_BYTES', String(memoryLimits.bytes), 'bytes of one memory; the oldest entries go', {
    min: 1_024,
    max: 2 ** 30,
  }),
  memoriesPerTenant: int(
    'MEMORIES_PER_TENANT',
    String(memoryLimits.memories),
    'memories of one tenant; those that were not written for longest go',
    { min: 1, max: 1_000_000 },
  ),
};

/** As the stores take them. */
export function memoryLimitsOf(values: EnvValues<typeof memoryEnv>): MemoryLimits {
  const { memoryTtl, memoryEntries, memoryBytes, memoriesPerTenant } = values;
  return { entries: memoryEntries, bytes: memoryBytes, memories: memoriesPerTenant, ttlMs: memoryTtl };
}
