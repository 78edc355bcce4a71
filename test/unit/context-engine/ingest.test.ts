// The thread that reads repositories: who waits for it, and what its end means to whom.
import { afterEach, expect, test } from 'vitest';
import { createIngester, type OpenArchive, type ToIndex } from '../../../services/context-engine/ingest.ts';
import { archiveOf } from '../../helpers/context/engine.ts';

const ingester = { now: createIngester() };
afterEach(async () => {
  await ingester.now.close();
  ingester.now = createIngester();
});

const good = async (): Promise<ToIndex> => {
  return { archive: await archiveOf({ 'x.ts': 'export const a = 1;\n' }), old: undefined };
};
const filesOf = async ({ files }: OpenArchive): Promise<number> => Promise.resolve(files);

test('those who wait hold no archive, and those who may not wait read none', async () => {
  let reads = 0;
  let held = 0;
  const read = async (): Promise<ToIndex> => {
    reads++;
    held++;
    return good();
  };
  const all = await Promise.allSettled(
    Array.from({ length: 200 }, () =>
      ingester.now.index(read, async ({ files }) => {
        expect(held--).toBe(1);
        return Promise.resolve(files);
      }),
    ),
  );
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
  expect(reads).toBe(16);
  for (const one of all)
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'resource_exhausted' });
  // An archive that cannot be read is no place lost.
  const broken = async (): Promise<ToIndex> => Promise.reject(new Error('no archive'));
  for (let i = 0; i < 20; i++) await expect(ingester.now.index(broken, filesOf)).rejects.toThrow('no archive');
  expect(await ingester.now.index(good, filesOf)).toBe(1);
});

test('the end of a thread is the end of its archive alone', async () => {
  const kill = ingester.now.index(good, async ({ pack }) => pack(null as never));
  const next = [ingester.now.index(good, filesOf), ingester.now.index(good, filesOf)];
  await expect(kill).rejects.toThrow(TypeError);
  expect(await Promise.all(next)).toEqual([1, 1]);
});

test('files are not asked of a thread that does not have them', async () => {
  const late = ingester.now.index(good, async ({ pack, prints }) => {
    await expect(pack(null as never)).rejects.toThrow(TypeError);
    return pack(prints);
  });
  await expect(late).rejects.toMatchObject({ code: 'aborted' });
  expect(await ingester.now.index(good, filesOf)).toBe(1);
});

test('whoever is in the middle when it closes hears so', async () => {
  const { now } = ingester;
  const packing = now.index(good, async ({ pack, prints }) => {
    await now.close();
    return pack(prints);
  });
  const waiting = now.index(good, filesOf);
  await expect(packing).rejects.toMatchObject({ code: 'aborted', message: 'the context engine is stopping' });
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });

  const other = createIngester();
  const reading = other.index(good, filesOf);
  const closed = other.index(async () => {
    await other.close();
    return good();
  }, filesOf);
  expect(await reading).toBe(1);
  await expect(closed).rejects.toMatchObject({ code: 'aborted' });
});

test('a thread that is ended while it reads ends what it reads', async () => {
  const reading = ingester.now.index(async () => {
    queueMicrotask(() => queueMicrotask(() => void ingester.now.close()));
    return good();
  }, filesOf);
  await expect(reading).rejects.toMatchObject({ code: 'aborted' });
});
