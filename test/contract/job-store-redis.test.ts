// The job store on Redis keeps the contract, with one partition and with four.
import { redisStage } from '../helpers/redis-job-store.ts';
import { testJobStore } from './job-store.ts';

const { make } = redisStage();

testJobStore('Redis', make);
testJobStore('Redis with four partitions', make, { partitions: 4 });
