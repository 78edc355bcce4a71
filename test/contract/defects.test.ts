// The 39 known defects of the original, one row each: the test that would catch it here, or the part still to be built that owes one.
// A row's test must exist under its name: renaming or deleting it fails here.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Caught {
  readonly n: number;
  readonly defect: string;
  /** File and the words that its test's title begins with or holds. */
  readonly by: readonly (readonly [file: string, title: string])[];
  /** What is not built yet and has to bring its own test. */
  readonly owed?: string;
}

const rows: readonly Caught[] = [
  {
    n: 1,
    defect: 'a fast result is lost',
    by: [['test/e2e/load.test.ts', '3,000 jobs, two schedulers, instant workers']],
  },
  {
    n: 2,
    defect: 'a job in two indices',
    by: [
      ['test/contract/job-store/finishers.ts', 'end a job once, with one result and one event'],
      ['test/contract/job-store/pairs.ts', 'from %s'],
    ],
  },
  {
    n: 3,
    defect: 'the reconciler runs hot on what it cannot change',
    by: [
      ['test/contract/job-store/workers.ts', 'is taken by one of two that look, and comes back when nothing was done'],
    ],
  },
  {
    n: 4,
    defect: 'no pool or no worker: PENDING for ever',
    by: [
      ['test/e2e/workers.test.ts', 'a job for a pool without workers waits, and runs when one arrives'],
      ['test/e2e/cancel.test.ts', 'a topic that no pool does'],
    ],
  },
  {
    n: 5,
    defect: 'cancel impossible before it runs, and unheard by the worker',
    by: [
      ['test/e2e/cancel.test.ts', 'SCHEDULED: it waits for a worker'],
      ['test/e2e/cancel.test.ts', 'RUNNING: the handler is told at once'],
      ['test/http/suites/cancel.ts', 'voids the fence: the attempt cannot commit any more'],
    ],
  },
  {
    n: 6,
    defect: 'no JobResult for DENIED, FAILED, TIMEOUT',
    by: [
      ['test/e2e/bus.test.ts', 'every end is told on the bus'],
      ['test/e2e/bus.test.ts', 'TIMEOUT is told as well'],
    ],
  },
  {
    n: 7,
    defect: 'late and foreign results overwrite, unknown ones leave keys',
    by: [
      ['test/e2e/bus.test.ts', 'results for unknown jobs leave no key behind'],
      ['test/contract/job-store/foreign.ts', 'for a job that one of our own hosts holds is news'],
    ],
  },
  {
    n: 8,
    defect: 'any status counts as SUCCEEDED',
    by: [['test/e2e/bus.test.ts', 'a worker that speaks the bus alone']],
  },
  {
    n: 9,
    defect: 'a duplicate submission runs twice',
    by: [
      ['test/e2e/bus.test.ts', 'the same submission five times is one job, and runs once'],
      ['test/http/suites/idempotency.ts', 'ten at once are one job'],
    ],
  },
  {
    n: 10,
    defect: 'at most once: a restart loses what is on its way',
    by: [
      ['test/e2e/parts.test.ts', 'kill -9 the scheduler with 200 jobs in flight'],
      ['test/e2e/parts.test.ts', 'kill -9 nats-server and delete its store'],
    ],
  },
  {
    n: 11,
    defect: 'the chosen worker is ignored, as are its slots and priorities',
    by: [
      ['test/contract/job-store/queue.ts', 'a worker never gets more than it has room for'],
      ['test/contract/job-store/queue.ts', 'priorities are strict'],
      ['test/unit/worker/intake.test.ts', 'are never exceeded'],
    ],
  },
  {
    n: 12,
    defect: 'the registry never forgets',
    by: [['test/e2e/workers.test.ts', 'kill -9 a worker in the middle of a job: another finishes it within 10 s']],
  },
  {
    n: 13,
    defect: 'two schedulers each hear half of the heartbeats',
    by: [
      ['test/e2e/load.test.ts', '3,000 jobs, two schedulers'],
      ['test/contract/bus-delivery.ts', 'members of a queue group share, everybody else gets each'],
    ],
  },
  {
    n: 14,
    defect: 'one heartbeat makes every topic of its pool look served',
    by: [['test/contract/job-store/queue.ts', 'a worker gets the lanes that it may serve']],
  },
  {
    n: 15,
    defect: 'RUNNING is fiction, so time-outs hit what waits',
    by: [['test/contract/job-store/attempts.ts', 'is accepted once, by one instance, with its payload']],
  },
  {
    n: 16,
    defect: 'REQUIRE_HUMAN and THROTTLE are denials',
    by: [['test/unit/policy/rpc-checker.test.ts', 'every decision of a foreign kernel is passed on']],
  },
  { n: 17, defect: 'orchestrators write job states', by: [['test/architecture/composition.test.ts', '']] },
  { n: 18, defect: 'time-outs and retries that nobody reads', by: [['test/unit/scheduling/timeouts.test.ts', '']] },
  {
    n: 19,
    defect: 'one expired context kills the report of the failure',
    by: [['test/unit/worker/leases.test.ts', 'at commit is asked again while the lease lasts']],
  },
  { n: 20, defect: 'path traversal on extraction', by: [], owed: 'extraction of archives (two runtimes, every door)' },
  {
    n: 21,
    defect: 'links lead out of the repository',
    by: [['test/unit/repo/scan-bounds.test.ts', 'links are told and never followed']],
  },
  {
    n: 22,
    defect: 'commands from the request',
    by: [],
    owed: 'the tests step of repo review; the command is carried and run by nothing',
  },
  {
    n: 23,
    defect: 'git options and hosts from the request',
    by: [['test/unit/repo/scan-bounds.test.ts', 'an address instead of a path fails']],
    owed: 'review of a git URL',
  },
  {
    n: 24,
    defect: 'any folder of the host',
    by: [['test/unit/repo/scan-bounds.test.ts', 'only what is really below an allowed root is scanned']],
  },
  {
    n: 25,
    defect: 'keys in the query, open doors',
    by: [
      ['test/http/suites/auth.ts', 'nor does ?%s='],
      ['test/http/suites/routes.ts', 'CORS is off'],
      ['test/http/suites/rpc.ts', 'no method works without a key'],
    ],
  },
  {
    n: 26,
    defect: 'every caller sees all tenants',
    by: [
      ['test/http/suites/tenants.ts', 'has a row for every route'],
      ['test/contract/job-store/foreign.ts', 'that names a key of somebody else is a failure'],
    ],
  },
  {
    n: 27,
    defect: 'no limits, dangling pointers, any error is 404',
    by: [
      ['test/http/suites/limits.ts', '2 MiB are taken and a byte more is not'],
      ['test/e2e/bus.test.ts', 'a payload that is not there fails the job'],
      ['test/http/gateway-process.test.ts', ''],
    ],
  },
  {
    n: 28,
    defect: 'keys without an end',
    by: [['test/contract/job-store-counters.test.ts', 'leaves at most 5 keys and 1,800 bytes']],
    owed: 'chat history (the context engine)',
  },
  { n: 29, defect: 'a part of the stack is missing from compose', by: [], owed: 'compose (two runtimes, deploy)' },
  {
    n: 30,
    defect: 'a folder path shared between machines',
    by: [['test/unit/repo/worker.test.ts', 'stores its result and, under its fence, the archive']],
  },
  {
    n: 31,
    defect: 'globs that match one level',
    by: [['test/unit/repo/globs.test.ts', 'the default patterns look at sources at any depth']],
  },
  { n: 32, defect: 'lint that finds nothing', by: [], owed: 'the lint step of repo review' },
  { n: 33, defect: 'the model does not see the code', by: [], owed: 'the demo workflow' },
  {
    n: 34,
    defect: 'failures shown as successes',
    by: [['test/unit/repo/describe.test.ts', 'claims nothing about what did not run']],
    owed: 'models and the context engine',
  },
  {
    n: 35,
    defect: 'code that nothing calls',
    by: [],
    owed: 'patches (models, workers, workflows); time-outs of topics are row 18',
  },
  {
    n: 36,
    defect: 'JSON as text, clients that leak',
    by: [['test/http/suites/wait.ts', 'a client that leaves is not waited for']],
    owed: 'streams (two runtimes, every door)',
  },
  {
    n: 37,
    defect: 'shutdown loses jobs, load is a random number',
    by: [
      ['test/e2e/workers.test.ts', 'a worker that is told to stop finishes what it does'],
      ['test/unit/worker/heartbeat.test.ts', 'say all that a scheduler needs'],
    ],
  },
  {
    n: 38,
    defect: 'one slow check holds up all jobs',
    by: [['test/e2e/parts.test.ts', 'the kernel is away for 5 s under load']],
  },
  {
    n: 39,
    defect: 'mixed workers run a job twice',
    by: [['test/e2e/bus.test.ts', 'our own worker beside a bus-only one']],
  },
];

test('every defect has its row', () => {
  expect(rows.map((row) => row.n)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1));
});

test.each(rows)('$n: $defect', ({ by, owed }) => {
  expect(by.length > 0 || owed !== undefined).toBe(true);
  for (const [file, title] of by) expect(readFileSync(file, 'utf8'), `${file}: ${title}`).toContain(title);
});
