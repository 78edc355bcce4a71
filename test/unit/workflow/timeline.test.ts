// What people see of a journal: steps that could not be made, were kept, were kept in vain, or told to stop.
import { expect, test } from 'vitest';
import type { Line } from '#core/workflow/lines.ts';
import { timelineOf } from '#core/workflow/timeline.ts';

const begin: Line = { t: 'begin', at: 1, name: 'x', v: '1', req: {} };
const start = (n = 1): Line => ({ t: 'start', k: 'a', n, topic: 'job.a', d: 'd' });
const end = (id: string, s: 'SUCCEEDED' | 'FAILED', n = 1): Line => ({ t: 'end', at: 2, k: 'a', n, id, s });

test('a step that could not be made is none of another run', () => {
  const [step] = timelineOf('r', [begin, start(), end('', 'FAILED')]).steps;
  expect(step).toMatchObject({ kept: false, attempts: [{ jobId: 'r.a.1', state: 'FAILED' }] });
});

test('a step is kept unless it was done again after all', () => {
  const lines = [begin, start(), end('other.a.1', 'SUCCEEDED')];
  expect(timelineOf('r', lines).steps[0]).toMatchObject({ kept: true, attempts: [{ jobId: 'other.a.1' }] });
  const again = timelineOf('r', [...lines, start(2), end('r.a.2', 'SUCCEEDED', 2)]).steps[0];
  expect(again).toMatchObject({ kept: false, attempts: [{ jobId: 'other.a.1' }, { jobId: 'r.a.2' }] });
});

test('a run below that is told to stop is dropped, and its end is shown', () => {
  const lines: Line[] = [begin, start(), { t: 'halt', k: 'a', n: 1 }];
  expect(timelineOf('r', lines).steps[0]?.attempts).toMatchObject([{ dropped: true, state: undefined }]);
  const ended = timelineOf('r', [...lines, end('r.a.1', 'FAILED')]).steps[0]?.attempts;
  expect(ended).toMatchObject([{ dropped: true, state: 'FAILED' }]);
});
