// Placement: least loaded, within the slots, ties in turn. The last tests draw cases and check what must hold of every one.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLane, parseLane, serves } from '#core/jobs/lane.ts';
import { type Candidate, maxLanes, place, score, type WaitingLane } from '#core/routing/strategy.ts';
import type { WorkerEntry } from '#core/routing/worker-entry.ts';

const worker = (id: string, more: Partial<WorkerEntry> = {}): WorkerEntry => ({
  ...{ id, pool: 'p', instance: 'i', direct: true, topics: undefined, capabilities: [], labels: {}, region: '' },
  ...{ capacity: 10, activeJobs: 0, cpuLoad: 0, gpuUtilization: 0, ...more },
});
const candidate = (id: string, used: number, capacity = 10, more: Partial<WorkerEntry> = {}): Candidate => ({
  worker: worker(id, more),
  used,
  capacity,
});
const lane = (text: string, waiting: number): WaitingLane => ({ lane: text, spec: parseLane(text), waiting });
const counts = (placements: ReturnType<typeof place>): Record<string, number> =>
  Object.fromEntries(placements.map((placement) => [placement.worker.id, placement.n]));

test("the score is the original's: jobs, then CPU and GPU as fractions of a job", () => {
  expect(score({ cpuLoad: 50, gpuUtilization: 25 }, 2)).toBeCloseTo(2.75);
});

describe('placement', () => {
  test.each([
    ['the one with fewer jobs', [candidate('a', 3), candidate('b', 1)], 1, { b: 1 }],
    ['the one with less CPU', [candidate('a', 1, 10, { cpuLoad: 80 }), candidate('b', 1)], 1, { b: 1 }],
    ['the one with less GPU', [candidate('a', 1, 10, { gpuUtilization: 1 }), candidate('b', 1)], 1, { b: 1 }],
    ['levels them', [candidate('a', 3), candidate('b', 0)], 5, { a: 1, b: 4 }],
    ['never beyond the slots', [candidate('a', 9), candidate('b', 8)], 10, { a: 1, b: 2 }],
    ['never to the full', [candidate('a', 10), candidate('b', 12)], 3, {}],
    ['not more than waits', [candidate('a', 0)], 2, { a: 2 }],
  ])('%s', (_name, candidates, waiting, expected) => {
    expect(counts(place(candidates, [lane('job.a', waiting)], 0, 100))).toEqual(expected);
  });

  test('stays within what one call may ask for', () => {
    expect(counts(place([candidate('a', 0, 500)], [lane('job.a', 400)], 0, 128))).toEqual({ a: 128 });
  });

  test('names the lanes that a worker may serve and in which something waits', () => {
    const gpu = formatLane({ topic: 'job.a', requires: ['gpu'], labels: {}, direct: false });
    const lanes = [lane('job.a', 1), lane(gpu, 1), lane('job.b', 0), lane('job.c', 2)];
    const placements = place(
      [candidate('a', 0, 10, { topics: ['job.a', 'job.b'] }), candidate('g', 0, 10, { capabilities: ['gpu'] })],
      lanes,
      0,
      100,
    );
    const own = Object.fromEntries(
      placements.map((placement) => [placement.worker.id, [...placement.lanes].toSorted()]),
    );
    expect(own).toEqual({ a: ['job.a'], g: ['job.a', gpu, 'job.c'].toSorted() });
  });

  test('a lane for workers of ours never goes to a pseudo-worker', () => {
    const direct = formatLane({ topic: 'job.a', requires: [], labels: {}, direct: true });
    expect(place([candidate('t', 0, 10, { direct: false })], [lane(direct, 3)], 0, 10)).toEqual([]);
  });

  test('looks at a bounded number of lanes, and at others the next time', () => {
    const lanes = Array.from({ length: 3 * maxLanes }, (_, i) => lane(`job.l${i}`, 1));
    const seen = new Set<string>();
    for (let turn = 0; turn < lanes.length; turn++) {
      const [placement] = place([candidate('a', 0)], lanes, turn, 1);
      expect(placement?.lanes).toHaveLength(maxLanes);
      for (const name of placement?.lanes ?? []) seen.add(name);
    }
    expect(seen.size).toBe(lanes.length);
  });

  test('ties go round', () => {
    const candidates = ['a', 'b', 'c'].map((id) => candidate(id, 0));
    const first = [0, 1, 2, 3].map((turn) => place(candidates, [lane('job.a', 1)], turn, 1)[0]?.worker.id);
    expect(first).toEqual(['a', 'b', 'c', 'a']);
  });
});

describe('of every placement', () => {
  const topics = ['job.a', 'job.b', 'job.c'];
  const arbitrary = fc.record({
    candidates: fc.array(
      fc.record({
        used: fc.integer({ min: 0, max: 12 }),
        capacity: fc.integer({ min: 0, max: 10 }),
        cpu: fc.integer({ min: 0, max: 100 }),
        topics: fc.option(fc.subarray(topics), { nil: undefined }),
      }),
      { maxLength: 8 },
    ),
    lanes: fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 3, maxLength: 3 }),
    turn: fc.nat(100),
    most: fc.integer({ min: 0, max: 40 }),
  });
  const run = (drawn: typeof arbitrary extends fc.Arbitrary<infer T> ? T : never) => {
    const candidates = drawn.candidates.map((c, i) =>
      candidate(`w${i}`, c.used, c.capacity, { cpuLoad: c.cpu, topics: c.topics }),
    );
    const lanes = drawn.lanes.map((waiting, i) => lane(topics[i] ?? '', waiting));
    return { candidates, lanes, placements: place(candidates, lanes, drawn.turn, drawn.most) };
  };

  test('nobody gets more than has room, no lane gives more than it has, and the call stays within its bound', () => {
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        const { candidates, lanes, placements } = run(drawn);
        for (const { worker: its, n, lanes: own } of placements) {
          const c = candidates.find((x) => x.worker === its);
          expect(n).toBeGreaterThan(0);
          expect(n).toBeLessThanOrEqual((c?.capacity ?? 0) - (c?.used ?? 0));
          for (const name of own) expect(serves(its, parseLane(name))).toBe(true);
        }
        const placed = placements.reduce((sum, { n }) => sum + n, 0);
        expect(placed).toBeLessThanOrEqual(drawn.most);
        expect(placed).toBeLessThanOrEqual(lanes.reduce((sum, { waiting }) => sum + waiting, 0));
        expect(new Set(placements.map(({ worker: its }) => its.id)).size).toBe(placements.length);
      }),
    );
  });

  test('whoever got a job was among the least loaded of those who could have had it', () => {
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        // Everybody serves everything, so that only load decides.
        const { candidates, placements } = run({
          ...drawn,
          candidates: drawn.candidates.map((c) => ({ ...c, topics: undefined })),
        });
        const got = new Map(placements.map(({ worker: its, n }) => [its.id, n]));
        const load = (c: Candidate, more: number): number => score(c.worker, c.used + more);
        for (const a of candidates) {
          const n = got.get(a.worker.id) ?? 0;
          if (n === 0) continue;
          for (const b of candidates) {
            const m = got.get(b.worker.id) ?? 0;
            if (b.used + m >= b.capacity) continue; // no room: it could not have had it
            expect(load(a, n - 1)).toBeLessThanOrEqual(load(b, m) + 1e-9);
          }
        }
      }),
    );
  });

  test('nothing waits beside room that could serve it', () => {
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        const { candidates, lanes, placements } = run({ ...drawn, most: 1_000 });
        const got = new Map(placements.map(({ worker: its, n }) => [its.id, n]));
        const idle = candidates.filter((c) => c.used + (got.get(c.worker.id) ?? 0) < c.capacity);
        const asked = placements.reduce((sum, { n }) => sum + n, 0);
        for (const c of idle) {
          // What it could do is all asked for, by whomever.
          const waiting = lanes.filter((l) => serves(c.worker, l.spec)).reduce((sum, l) => sum + l.waiting, 0);
          expect(asked).toBeGreaterThanOrEqual(waiting);
        }
      }),
    );
  });
});
