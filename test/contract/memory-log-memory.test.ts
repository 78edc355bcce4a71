// The twin in memory keeps the contract of memories.
import { createMemoryLog } from '#core/jobs/memory-log.ts';
import type { MemoryStore } from '#core/jobs/memory-store.ts';
import { memoryStage } from '../helpers/memory-job-store.ts';
import { testMemoryLog } from './memory-log.ts';

testMemoryLog(
  'memory',
  memoryStage,
  ({ store }, _, __, limits) => {
    const { memory } = store as MemoryStore;
    const options = { ...memory.options, memoryLimits: { ...memory.options.memoryLimits, ...limits } };
    return createMemoryLog({ ...memory, options });
  },
  1,
);
