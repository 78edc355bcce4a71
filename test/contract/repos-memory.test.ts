// The twin in memory keeps the contract of repositories.
import { createMemoryRepos } from '#core/context/memory-repos.ts';
import { testRepos } from './repos.ts';

testRepos('memory', async (now, limits) => Promise.resolve(createMemoryRepos(now, limits)));
