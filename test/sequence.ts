// The order of test files: those that take longest first, so that none of them runs alone at the end while other cores rest.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By what they took on two cores, the longest first; all others come after these. */
const longest = [
  'test/contract/job-store-rest.test.ts',
  'test/contract/job-store-rest-partitions.test.ts',
  'test/contract/job-store-walk.test.ts',
  'test/contract/job-store-redis.test.ts',
  'test/contract/job-store-virtual-times.test.ts',
  'test/http/cli-jobs.test.ts',
  'test/http/gateway-process.test.ts',
  'test/http/gateway-node.test.ts',
  'test/http/gateway-node-more.test.ts',
  'test/http/cli.test.ts',
  'test/http/safety-tls.test.ts',
  'test/unit/local/start.test.ts',
  'test/unit/workflow/kill.test.ts',
  'test/unit/workflow/ops.test.ts',
  'test/unit/repo/archive-source.test.ts',
  'test/unit/protocol/proto-command.test.ts',
  'test/unit/context/window-random.test.ts',
  'test/unit/scheduler/many.test.ts',
  'test/unit/process/run.test.ts',
  'test/unit/context/encoding.test.ts',
  'test/e2e/streams.test.ts',
  'test/e2e/wire-citizens.test.ts',
  'test/e2e/redis.test.ts',
  'test/e2e/workflow.test.ts',
  'test/e2e/output.test.ts',
  'test/e2e/metrics.test.ts',
  'test/e2e/parts.test.ts',
  'test/e2e/load.test.ts',
  'test/e2e/edge.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((path) => moduleId.endsWith(path));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}
