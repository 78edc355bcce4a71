// The twin in memory keeps the journal's contract.
import type { MemoryStore } from '#core/jobs/memory-store.ts';
import { createMemoryJournal } from '#core/jobs/memory-journal.ts';
import { memoryStage } from '../helpers/memory-job-store.ts';
import { testJournal } from './journal.ts';

testJournal('memory', memoryStage, ({ store }) => createMemoryJournal((store as MemoryStore).memory), 1);
