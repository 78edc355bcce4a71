// The twin in memory keeps the contract of the job store.
import { memoryStage } from '../helpers/memory-job-store.ts';
import { testJobStore } from './job-store.ts';

testJobStore('memory', memoryStage);
