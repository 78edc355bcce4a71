// Artifacts of an attempt: under its own fence, or said to be impossible where the transport carries no bytes.
import { describe, expect, test } from 'vitest';
import type { Gaps } from '../job-store.ts';
import type { Rig } from './rig.ts';

export function artifacts(open: () => Promise<Rig>, gaps: Gaps): void {
  describe('an attempt', () => {
    const shown: readonly (readonly [string, (open: () => Promise<Rig>) => Promise<void>])[] =
      gaps.bytes === undefined
        ? [
            [
              'keeps artifacts under its own fence; those of a void attempt are not the result of the next',
              keepsArtifacts,
            ],
            ['is shown with its recording, the newest one, to its own tenant', showsRecording],
          ]
        : [[`may write no artifact, since ${gaps.bytes}`, refusesArtifacts]];
    test.each(shown)('%s', (_, show) => show(open));
    test('is shown without one that it does not have', () => showsNone(open));
  });
}

async function keepsArtifacts(open: () => Promise<Rig>): Promise<void> {
  const rig = await open();
  const job = await rig.running();
  const put = (name: string) => rig.store.artifact({ ...rig.keyOf(job), name, bytes: Uint8Array.of(0, 255, 128) });
  const first = await put('archive');
  expect(first).toBe(`res:${job.id}-archive-${job.handOut?.fence}`);
  await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
  rig.advance(1);
  await rig.claim(job);
  await rig.accept(job);
  const second = await put('archive');
  const third = await put('log');
  expect(await put('log')).toBe(third);
  expect(second).not.toBe(first);
  const { end } = rig.one(await rig.store.commit([rig.commitOf(job)]));
  expect(end?.artifactPtrs).toEqual([`redis://${second}`, `redis://${third}`]);
  await expect(put('../etc')).rejects.toMatchObject({ code: 'invalid_argument', field: 'name' });
}

async function showsRecording(open: () => Promise<Rig>): Promise<void> {
  const rig = await open();
  const job = await rig.running({ payload: '{"prompt":"é"}' });
  const put = (name: string, text: string) =>
    rig.store.artifact({ ...rig.keyOf(job), name, bytes: new TextEncoder().encode(text) });
  await put('exchanges', '"first"\n');
  await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
  rig.advance(1);
  await rig.claim(job);
  await rig.accept(job);
  const long = `${'"ü€"\n'.repeat(200_000)}\n`;
  await put('exchanges', long);
  await put('exchanges-1', 'of another name');
  await put('other', 'of another name');
  await rig.store.commit([rig.commitOf(job)]);
  const seen = await rig.store.recording(job.id, job.tenant);
  expect(seen).toEqual({
    job: await rig.view(job),
    ...{ payload: '{"prompt":"é"}', result: '{"response":"ho"}', recording: long },
  });
  expect(await rig.store.recording(job.id, 'another')).toBeUndefined();
}

async function showsNone(open: () => Promise<Rig>): Promise<void> {
  const rig = await open();
  const job = await rig.running();
  expect(await rig.store.recording(job.id, job.tenant)).toMatchObject({ result: null, recording: null });
  expect(await rig.store.recording('never-there', job.tenant)).toBeUndefined();
}

async function refusesArtifacts(open: () => Promise<Rig>): Promise<void> {
  const rig = await open();
  const job = await rig.running();
  const before = await rig.snapshot();
  const artifact = { ...rig.keyOf(job), name: 'archive', bytes: new Uint8Array(3) };
  await expect(rig.store.artifact(artifact)).rejects.toMatchObject({ code: 'unimplemented' });
  expect(await rig.snapshot()).toBe(before);
}
