// What every gateway must do, whatever it runs on: the suites below. The runs are in gateway-*.test.ts; a suite never knows which
// one it is in.
import { describe } from 'vitest';
import { testArchives } from './suites/archives.ts';
import { testAuth } from './suites/auth.ts';
import { testCancel } from './suites/cancel.ts';
import { testHealth } from './suites/health.ts';
import { testIdempotency } from './suites/idempotency.ts';
import { testJobs } from './suites/jobs.ts';
import { testLimits } from './suites/limits.ts';
import { testList } from './suites/list.ts';
import { testMetrics } from './suites/metrics.ts';
import { testRepoReview } from './suites/repo-review.ts';
import { testRoutes } from './suites/routes.ts';
import { testRpc } from './suites/rpc.ts';
import { testCors } from './suites/cors.ts';
import { testJobEvents } from './suites/job-events.ts';
import { testJobOutput } from './suites/job-output.ts';
import { testStream } from './suites/stream.ts';
import { testTickets } from './suites/tickets.ts';
import { testRpcProtocols } from './suites/rpc-protocols.ts';
import { testSubmit } from './suites/submit.ts';
import { testTenants } from './suites/tenants.ts';
import { testTracesAndWorkers } from './suites/traces-workers.ts';
import { testRecordings } from './suites/recordings.ts';
import { testUsage } from './suites/usage.ts';
import { testValidation } from './suites/validation.ts';
import { testWorkflows } from './suites/workflows.ts';
import { testWait } from './suites/wait.ts';
import type { MakeGateway } from './under-test.ts';

export interface Gaps {
  /** False: functions in workerd share no registry, so nothing can be scraped. */
  readonly metrics?: boolean;
}

/** Whether a run is of one half of the suites: two files take half the time of one. Default: of both. */
type Half = 'first' | 'second';

/** Runs every suite. `make` is called once per suite that wants another configuration. */
export function testGateway(name: string, make: MakeGateway, { metrics = true }: Gaps = {}, half?: Half): void {
  describe(`gateway ${name}`, () => {
    if (half !== 'second') {
      testHealth(make);
      testRoutes(make);
      testSubmit(make);
      testValidation(make);
      testLimits(make);
      testIdempotency(make);
      testJobs(make);
      testList(make);
      testTracesAndWorkers(make);
      testUsage(make);
      testRecordings(make);
      testCancel(make);
      testWait(make);
      testRepoReview(make);
    }
    if (half !== 'first') {
      testArchives(make);
      testAuth(make);
      testTenants(make);
      testRpc(make);
      testRpcProtocols(make);
      if (metrics) testMetrics(make);
      testJobEvents(make);
      testJobOutput(make);
      testStream(make);
      testTickets(make);
      testCors(make);
      testWorkflows(make);
    }
  });
}
