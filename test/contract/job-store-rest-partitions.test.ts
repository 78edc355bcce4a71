// As job-store-rest.test.ts, with four partitions: what names partitions in each run, all of it with --long.
import { restStage } from '../helpers/rest-job-store.ts';
import { testJobStore } from './job-store.ts';

const { make } = restStage({ maxRequestBytes: 10_000_000 });

testJobStore('Redis over REST with four partitions', make, {
  partitions: 4,
  partitionsAlone: true,
  gaps: { bytes: 'REST carries texts alone' },
});
