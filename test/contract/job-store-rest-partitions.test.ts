// As job-store-rest.test.ts, with four partitions: a file of its own, since the two take longer than all others.
import { restStage } from '../helpers/rest-job-store.ts';
import { testJobStore } from './job-store.ts';

const { make } = restStage({ maxRequestBytes: 10_000_000 });

testJobStore('Redis over REST with four partitions', make, {
  partitions: 4,
  gaps: { bytes: 'REST carries texts alone' },
});
