// The twin keeps the contract.
import { createMemoryArchives } from '#core/archives/memory-archives.ts';
import { testArchives } from './archives.ts';

testArchives('memory', async (limits) => createMemoryArchives(Date.now, limits));
