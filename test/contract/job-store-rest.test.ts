// The job store on Redis keeps the contract over REST too. A request is as large as the larger plans of Upstash allow here: results are
// committed by hosts, which have TCP, so that only submissions are cut to size (job-store-rest-large.test.ts).
import { restStage } from '../helpers/rest-job-store.ts';
import { testJobStore } from './job-store.ts';

const { make } = restStage({ maxRequestBytes: 10_000_000 });

testJobStore('Redis over REST', make, { gaps: { bytes: 'REST carries texts alone' } });
