// The job store in memory, as the contract's tests want it.
import { createMemoryStore } from '#core/jobs/memory-store.ts';
import type { MakeStore } from '../contract/job-store/rig.ts';
import { memoryBooks, memoryText } from './memory-books.ts';

export const memoryStage: MakeStore = async (options) => {
  const store = createMemoryStore(options);
  const { memory } = store;
  return Promise.resolve({
    store,
    other: store,
    books: async () => Promise.resolve(memoryBooks(memory)),
    snapshot: async () => Promise.resolve(memoryText(memory)),
    async write(_, key, value) {
      if (value === undefined) memory.values.delete(key);
      else memory.values.set(key, { value, expiresAt: Number.POSITIVE_INFINITY });
      return Promise.resolve();
    },
    async read(_, key) {
      const value = memory.values.get(key)?.value;
      return Promise.resolve(typeof value === 'string' ? value : null);
    },
    unlist: async () => Promise.resolve(), // it keeps no list beside the records
  });
};
