// The 39 known defects of the original, one row each: the test that would catch it here, or the part still to be built that owes one.
// A row's test must exist under its name and run: renaming, deleting or skipping it fails here.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Token, tokenize } from '../architecture/source/tokens.ts';

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
    by: [['test/e2e/wire-clients.test.ts', 'every end is heard on the bus']],
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
    by: [
      ['test/unit/scheduler/dispatch.test.ts', 'is forgotten after fifteen seconds'],
      ['test/unit/routing/registry.test.ts', 'who is silent for more than fifteen seconds is gone'],
    ],
  },
  {
    n: 13,
    defect: 'two schedulers each hear half of the heartbeats',
    by: [['test/unit/scheduler/heartbeats.test.ts', 'two schedulers on one bus both hear every heartbeat']],
  },
  {
    n: 14,
    defect: 'one heartbeat makes every topic of its pool look served',
    by: [
      ['test/unit/routing/strategy.test.ts', 'names the lanes that a worker may serve and in which something waits'],
      ['test/unit/scheduler/dispatch.test.ts', 'a job goes only to who can do it'],
    ],
  },
  {
    n: 15,
    defect: 'RUNNING is fiction, so time-outs hit what waits',
    by: [['test/contract/job-store/attempts.ts', 'is accepted once, by one instance, with its payload']],
  },
  {
    n: 16,
    defect: 'REQUIRE_HUMAN and THROTTLE are denials',
    by: [['test/unit/scheduler/gate.test.ts', 'holds the job in PENDING with the reason, and it goes on afterwards']],
  },
  {
    n: 17,
    defect: 'orchestrators write job states',
    by: [['test/architecture/job-state.test.ts', 'nobody but the scripts writes job state']],
  },
  {
    n: 18,
    defect: 'time-outs and retries that nobody reads',
    by: [
      ['test/unit/scheduler/ends.test.ts', 'the longest run of an attempt'],
      ['test/unit/scheduler/ends.test.ts', 'a failing %s (%s) is tried %d times'],
    ],
  },
  {
    n: 19,
    defect: 'one expired context kills the report of the failure',
    by: [['test/unit/worker/host.test.ts', 'whose time is over has its failure stored and told all the same']],
  },
  {
    n: 20,
    defect: 'path traversal on extraction',
    by: [
      ['test/unit/repo/archive-source.test.ts', 'a bomb is put out while it is read'],
      ['test/unit/repo/archive-source.test.ts', 'nothing that bytes can be makes it throw anything else'],
      ['test/e2e/review-anywhere.test.ts', 'that %s fails, once'],
    ],
  },
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
    by: [
      ['test/unit/repo/fetch.test.ts', 'the branch %j'],
      ['test/unit/repo/fetch.test.ts', 'the address %j'],
      ['test/unit/repo/fetch.test.ts', 'a host of this machine that no configuration names'],
      ['test/unit/repo/fetch-servers.test.ts', 'one that sends elsewhere is not followed'],
      ['test/e2e/review-anywhere.test.ts', "a tenant fetches from its policy's hosts alone"],
    ],
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
      ['test/http/suites/cors.ts', '%s gets nothing, and a cache is told why'],
      ['test/http/suites/cors.ts', 'a WebSocket is for listed origins'],
      ['test/http/suites/tickets.ts', 'is what a browser needs: a key in an address is refused'],
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
      ['test/http/gateway-process.test.ts', 'without Redis nothing is accepted'],
    ],
  },
  {
    n: 28,
    defect: 'keys without an end',
    by: [
      ['test/contract/job-store-counters.test.ts', 'leaves at most 5 keys and 1,800 bytes'],
      ['test/contract/archives.ts', 'what nobody names goes by itself'],
    ],
    owed: 'chat history (the context engine)',
  },
  {
    n: 29,
    defect: 'a part of the stack is missing from compose',
    by: [['test/unit/local/manifest.test.ts', 'has every service once']],
  },
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
  {
    n: 33,
    defect: 'the model does not see the code',
    by: [['test/unit/worker/code.test.ts', 'by the tool becomes the patch']],
    owed: 'the demo workflow',
  },
  {
    n: 34,
    defect: 'failures shown as successes',
    by: [['test/unit/repo/describe.test.ts', 'claims nothing about what did not run']],
    owed: 'models and the context engine',
  },
  {
    n: 35,
    defect: 'code that nothing calls',
    by: [['test/unit/worker/code-property.test.ts', 'the whole worker: its patch applies with plain git']],
    owed: 'the strategy of partition and the ingestion of repositories; time-outs of topics are row 18',
  },
  {
    n: 36,
    defect: 'JSON as text, clients that leak',
    by: [
      ['test/http/suites/routes.ts', 'says that its answer is JSON'],
      ['test/http/suites/wait.ts', 'a client that leaves is not waited for'],
      ['test/http/suites/job-events.ts', 'a client that goes away frees its place and the subscription'],
      ['test/unit/streams/packet-stream.test.ts', 'who answers no ping is let go'],
      ['test/unit/streams/packet-stream.test.ts', 'a client that takes nothing holds a megabyte for ten seconds'],
    ],
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
    by: [['test/e2e/wire-citizens.test.ts', 'our own worker beside a bus-only one']],
  },
];

test('every defect has its row', () => {
  expect(rows.map((row) => row.n)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1));
});

const given = new Map<string, readonly string[]>();
/** The titles of the tests and blocks of a file. */
function titles(file: string): readonly string[] {
  const known = given.get(file) ?? titlesOf(readFileSync(file, 'utf8'));
  given.set(file, known);
  return known;
}

test.each(rows)('$n: $defect', ({ by, owed }) => {
  expect(by.length > 0 || owed !== undefined).toBe(true);
  for (const [file, title] of by) {
    expect(title, file).toMatch(/\w/);
    expect(titles(file), file).toContainEqual(expect.stringContaining(title));
  }
});

test('a title counts only where a test stands under it that runs', () => {
  const source = `
    // test('in a comment', () => undefined);
    const text = 'in a text';
    describe('a block', () => { test.each([[f(1), '(']])('each %s', () => {}); it('one', { timeout: 1 }, run); });
    test.skip('skipped', run);
    test.skipIf(slow)('perhaps', run);
    describe.skip('a block that does not run', () => { test('inside', run); });
    pattern.test('no test');
    test('last', run);`;
  expect(titlesOf(source)).toEqual(['a block', 'each %s', 'one', 'last']);
});

/** `test('x')`, `describe.each(...)('x')` and so on; without what is skipped or only perhaps run. */
function titlesOf(source: string): string[] {
  const tokens = tokenize(source);
  const found: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (!isSign(tokens[i - 1], '.') && /^(test|it|describe)$/.test(wordAt(tokens, i))) {
      let at = i + 1;
      let runs = true;
      while (isSign(tokens[at], '.')) {
        runs &&= /^(each|for|concurrent|sequential)$/.test(wordAt(tokens, at + 1));
        at += 2;
      }
      // The table of `each` stands in parentheses of its own.
      while (isSign(tokens[at], '(') && isSign(tokens[closing(tokens, at) + 1], '(')) at = closing(tokens, at) + 1;
      const title = tokens[at + 1];
      if (isSign(tokens[at], '(') && title?.kind === 'string') {
        if (runs) found.push(title.text);
        else i = closing(tokens, at);
      }
    }
  }
  return found;
}

function wordAt(tokens: readonly Token[], at: number): string {
  const token = tokens[at];
  return token?.kind === 'word' ? token.text : '';
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.text === sign;
}

/** Where the parenthesis that opens at `open` closes. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (isSign(tokens[at], '(')) depth++;
    if (isSign(tokens[at], ')') && --depth === 0) return at;
  }
  return tokens.length;
}
