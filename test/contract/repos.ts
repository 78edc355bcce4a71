// The contract of repositories: each driver must pass.
import { describe, expect, test } from 'vitest';
import type { RepoCommit, RepoLimits, RepoName, Repos } from '#core/context/repo/repos.ts';

export type MakeRepos = (now: () => number, limits?: Partial<RepoLimits>) => Promise<Repos>;

/** Runs the contract. `make` answers an empty store. */
export function testRepos(name: string, make: MakeRepos): void {
  describe(`repositories: ${name}`, () => {
    const r: RepoName = { tenant: 't1', repository: 'https://x/y#main' };
    let time = 1_800_000_000_000;
    const now = (): number => time;
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const file = (print: string, content = print) => ({ print, bytes: bytes(content) });
    const put = async (repos: Repos, at: RepoCommit, prints: readonly string[], blob = `index of ${at.commit}`) => {
      await repos.putFiles({ ...at, files: prints.map((print) => file(print, `content ${print}`)) });
      time += 10;
      return repos.putIndex({ ...at, blob: bytes(blob), prints });
    };
    const latest = async (repos: Repos, name: RepoName) => (await repos.find(name))?.commit;
    const of = (repository: string, tenant = 't1'): RepoCommit => ({ tenant, repository, commit: 'c' });
    const large = (name: string, length: number) => ({ print: name, bytes: new Uint8Array(length).fill(name.length) });
    const minute = 60_000;
    const refused = { code: 'resource_exhausted', field: 'repository' };

    test('keeps an index and its files, byte for byte', async () => {
      const repos = await make(now);
      expect(await latest(repos, r)).toBeUndefined();
      const odd = Uint8Array.from({ length: 3_000 }, (_, i) => (i * 7) % 256);
      await repos.putFiles({ ...r, files: [{ print: 'a', bytes: odd }, file('b')] });
      expect(await repos.missing({ ...r, prints: ['a', 'c', 'b'] })).toEqual(['c']);
      expect(await repos.putIndex({ ...r, commit: 'c1', blob: odd, prints: ['a', 'b'] })).toBe('ok');
      expect(await latest(repos, r)).toBe('c1');
      expect(await repos.index({ ...r, commit: 'c1' })).toEqual(odd);
      const found = await repos.files({ ...r, prints: ['a', 'nothing', 'b'] });
      expect([...found.keys()]).toEqual(['a', 'b']);
      expect(found.get('a')).toEqual(odd);
      expect(await repos.files({ ...r, prints: [] })).toEqual(new Map());
    });

    test('takes no index whose files are not there', async () => {
      const repos = await make(now);
      await repos.putFiles({ ...r, files: [file('a')] });
      expect(await repos.putIndex({ ...r, commit: 'c1', blob: bytes('x'), prints: ['a', 'b'] })).toBe('incomplete');
      expect(await latest(repos, r)).toBeUndefined();
      expect(await repos.index({ ...r, commit: 'c1' })).toBeUndefined();
    });

    test('very many files', async () => {
      const repos = await make(now);
      const prints = Array.from({ length: 12_000 }, (_, i) => `f${i}`);
      await repos.putFiles({ ...r, files: prints.map((print) => file(print)) });
      expect(await repos.missing({ ...r, prints: [...prints, 'new'] })).toEqual(['new']);
      expect(await repos.putIndex({ ...r, commit: 'c1', blob: bytes('x'), prints })).toBe('ok');
      expect((await repos.files({ ...r, prints })).size).toBe(12_000);
    });

    test('old commits give way, with the files that they alone name', async () => {
      const repos = await make(now, { commits: 2 });
      await put(repos, { ...r, commit: 'c1' }, ['a', 'b']);
      await put(repos, { ...r, commit: 'c2' }, ['b', 'c']);
      await put(repos, { ...r, commit: 'c3' }, ['c', 'd']);
      expect(await repos.index({ ...r, commit: 'c1' })).toBeUndefined();
      expect(await repos.index({ ...r, commit: 'c2' })).toEqual(bytes('index of c2'));
      expect(await repos.missing({ ...r, prints: ['a', 'b', 'c', 'd'] })).toEqual(['a']);
      // One that comes again is the latest, and no second one.
      await put(repos, { ...r, commit: 'c2' }, ['b', 'c']);
      expect(await latest(repos, r)).toBe('c2');
      await put(repos, { ...r, commit: 'c4' }, ['e']);
      expect(await repos.index({ ...r, commit: 'c3' })).toBeUndefined();
      expect(await repos.index({ ...r, commit: 'c2' })).toBeDefined();
      expect(await repos.missing({ ...r, prints: ['b', 'c', 'd', 'e'] })).toEqual(['d']);
    });

    test('the repositories of a tenant that were not used for longest give way', async () => {
      const repos = await make(now, { bytes: 4_000 });
      const blob = 'x'.repeat(1_200);
      await put(repos, of('one'), ['a'], blob);
      await put(repos, of('two'), ['a'], blob);
      await put(repos, of('other', 't2'), ['a'], blob);
      time += minute;
      expect(await latest(repos, of('one'))).toBe('c');
      await put(repos, of('three'), ['a'], blob);
      await put(repos, of('four'), ['a'], blob);
      expect(await latest(repos, of('two'))).toBeUndefined();
      expect(await repos.index(of('two'))).toBeUndefined();
      expect(await latest(repos, of('four'))).toBe('c');
      expect(await latest(repos, of('other', 't2'))).toBe('c');
    });

    test('what is talked about is used, whichever way it is read', async () => {
      const ttlMs = 60 * minute;
      for (const read of [
        (repos: Repos) => repos.find(of('daily')),
        (repos: Repos) => repos.index(of('daily')),
        (repos: Repos) => repos.files({ ...of('daily'), prints: ['a'] }),
      ]) {
        const repos = await make(now, { ttlMs, repositories: 2 });
        await put(repos, of('daily'), ['a']);
        await put(repos, of('idle'), ['a']);
        for (let i = 0; i < 3; i++) {
          time += 40 * minute;
          await read(repos);
        }
        // What has gone by now went for its time, and what goes for the room of others is not what was read.
        await put(repos, of('next'), ['a']);
        time += 2 * minute;
        await read(repos);
        await put(repos, of('more'), ['a']);
        expect(await latest(repos, of('daily'))).toBe('c');
        expect(await latest(repos, of('idle'))).toBeUndefined();
        expect(await latest(repos, of('next'))).toBeUndefined();
      }
    });

    test('one that is beyond the bound takes nothing away, and a smaller version of it is taken', async () => {
      const repos = await make(now, { bytes: 100_000 });
      const big = of('big');
      await put(repos, of('good'), ['a']);
      await repos.putFiles({ ...big, files: [large('kept', 9_000)] });
      expect(await repos.putIndex({ ...big, blob: bytes('x'), prints: ['kept'] })).toBe('ok');
      const files = Array.from({ length: 12 }, (_, i) => large(`f${i}`, 9_000));
      const prints = ['kept', ...files.map(({ print }) => print)];
      await expect(repos.putFiles({ ...big, files, of: { prints, indexBytes: 10 } })).rejects.toMatchObject(refused);
      // Piece by piece it is noticed too late for others, but what was put by then goes.
      const little = [large('s', 30_000)];
      for (const next of ['c2', 'c3']) {
        await repos.putFiles({ ...big, files: little, of: { prints: ['s'], indexBytes: 30_000 } });
        const index = { ...big, commit: next, blob: new Uint8Array(99_000), prints: ['s'] };
        await expect(repos.putIndex(index)).rejects.toMatchObject(refused);
        expect(await repos.missing({ ...big, prints: ['s', 'kept'] })).toEqual(['s']);
      }
      expect(await latest(repos, big)).toBe('c');
      expect(await latest(repos, of('good'))).toBe('c');
      await repos.putFiles({ ...big, files: little });
      expect(await repos.putIndex({ ...big, commit: 'c4', blob: bytes('x'), prints: ['s'] })).toBe('ok');
      expect(await latest(repos, of('good'))).toBe('c');
    });

    test('older commits give way to the next one before other repositories do, the latest after them', async () => {
      const repos = await make(now, { bytes: 100_000, commits: 10 });
      await put(repos, of('other'), ['a']);
      for (let i = 0; i < 6; i++) {
        const prints = ['all', `f${i}`];
        const missing = await repos.missing({ ...r, prints });
        const files = missing.map((print) => large(print, print === 'all' ? 1_000 : 30_000));
        await repos.putFiles({ ...r, files, of: { prints, indexBytes: 100 } });
        time += 10;
        expect(await repos.putIndex({ ...r, commit: `c${i}`, blob: new Uint8Array(100), prints })).toBe('ok');
        expect(await latest(repos, of('other'))).toBe('c');
      }
      expect(await repos.index({ ...r, commit: 'c4' })).toBeDefined();
      expect(await repos.find({ ...r, commit: 'c2' })).toBeUndefined();
      const prints = ['all', 'most'];
      await repos.putFiles({ ...r, files: [large('most', 70_000)], of: { prints, indexBytes: 100 } });
      expect(await latest(repos, of('other'))).toBeUndefined();
      // The file that stays for it is there, though its commits went.
      expect(await repos.putIndex({ ...r, commit: 'c6', blob: new Uint8Array(100), prints })).toBe('ok');
    });

    test('a commit that is put again lets go what it named before, and is another generation', async () => {
      const repos = await make(now, { bytes: 100_000 });
      const main = { ...r, commit: 'main' };
      const generations = new Set<string | undefined>();
      for (let i = 0; i < 20; i++) {
        await put(repos, main, ['same', `f${i}`], `index ${i}`);
        generations.add((await repos.find(main))?.generation);
        expect((await repos.find(r))?.generation).toBe((await repos.find(main))?.generation);
      }
      expect(generations.size).toBe(20);
      expect(generations.has(undefined)).toBe(false);
      const prints = Array.from({ length: 20 }, (_, i) => `f${i}`);
      expect(await repos.missing({ ...r, prints: ['same', ...prints] })).toEqual(prints.slice(0, 19));
      expect(await repos.index(main)).toEqual(bytes('index 19'));
      // Another commit does not touch it; one that brings nothing new names nothing else either.
      await put(repos, { ...r, commit: 'c2' }, ['f19', 'g']);
      expect(generations.has((await repos.find(main))?.generation)).toBe(true);
      await put(repos, main, []);
      expect(await repos.missing({ ...r, prints: ['same', 'f19', 'g'] })).toEqual(['same']);
      expect(await latest(repos, r)).toBe('main');
    });

    test('a tenant has so many repositories', async () => {
      const repos = await make(now, { repositories: 3 });
      for (let i = 0; i < 5; i++) await put(repos, of(`r${i}`), ['a']);
      await put(repos, of('r0', 't2'), ['a']);
      const left = [];
      for (let i = 0; i < 5; i++) if ((await latest(repos, of(`r${i}`))) !== undefined) left.push(i);
      expect(left).toEqual([2, 3, 4]);
      expect(await latest(repos, of('r0', 't2'))).toBe('c');
    });

    test('files whose commit never came give way first', async () => {
      const repos = await make(now, { bytes: 100_000 });
      await put(repos, of('other'), ['a']);
      await put(repos, { ...r, commit: 'c' }, ['x']);
      await repos.putFiles({ ...r, files: [large('lost', 60_000)] });
      await repos.putFiles({ ...r, files: [large('next', 60_000)] });
      expect(await repos.missing({ ...r, prints: ['lost', 'next', 'x'] })).toEqual(['lost']);
      expect(await latest(repos, of('other'))).toBe('c');
    });

    const space = 'model/3';
    const withVectors = async (repos: Repos, at: RepoCommit, prints: readonly string[], content?: string) => {
      await put(repos, at, prints);
      await repos.putVectors({
        ...at,
        space,
        files: prints.map((print) => file(print, content ?? `vectors ${print}`)),
      });
      time += 10;
    };

    test('keeps vectors of files that it has, once for all commits, and lets them go with the files', async () => {
      const repos = await make(now, { commits: 1 });
      expect(await repos.space(r)).toBeUndefined();
      expect(await repos.withoutVectors({ ...r, space, prints: ['a'] })).toEqual(['a']);
      expect(await repos.vectors({ ...r, space, prints: ['a'] })).toEqual(new Map());
      await withVectors(repos, { ...r, commit: 'c1' }, ['a', 'b']);
      const odd = Uint8Array.from({ length: 3_000 }, (_, i) => (i * 7) % 256);
      await repos.putVectors({ ...r, space, files: [{ print: 'a', bytes: odd }, file('of no file')] });
      expect(await repos.space(r)).toBe(space);
      expect(await repos.withoutVectors({ ...r, space, prints: ['a', 'of no file', 'b'] })).toEqual(['of no file']);
      const found = await repos.vectors({ ...r, space, prints: ['b', 'of no file', 'a'] });
      expect(found).toEqual(
        new Map([
          ['b', bytes('vectors b')],
          ['a', odd],
        ]),
      );
      expect(await repos.vectors({ ...r, space, prints: [] })).toEqual(new Map());
      await put(repos, { ...r, commit: 'c2' }, ['b', 'c']);
      expect(await repos.withoutVectors({ ...r, space, prints: ['a', 'b', 'c'] })).toEqual(['a', 'c']);
      expect(await repos.vectors({ ...r, tenant: 't2', space, prints: ['b'] })).toEqual(new Map());
    });

    test('vectors of two spaces are never there at once', async () => {
      const repos = await make(now);
      await withVectors(repos, { ...r, commit: 'c1' }, ['a', 'b']);
      expect(await repos.vectors({ ...r, space: 'other/3', prints: ['a'] })).toEqual(new Map());
      await repos.putVectors({ ...r, space: 'other/3', files: [file('a', 'other')] });
      expect(await repos.space(r)).toBe('other/3');
      expect(await repos.withoutVectors({ ...r, space: 'other/3', prints: ['a', 'b'] })).toEqual(['b']);
      expect(await repos.withoutVectors({ ...r, space, prints: ['a', 'b'] })).toEqual(['a', 'b']);
      expect(await repos.vectors({ ...r, space, prints: ['a', 'b'] })).toEqual(new Map());
    });

    test('vectors count, and give way before anything that is needed', async () => {
      const repos = await make(now, { bytes: 4_500 });
      const of = (repository: string): RepoCommit => ({ tenant: 't1', repository, commit: 'c' });
      const large = 'x'.repeat(1_200);
      await withVectors(repos, of('one'), ['a'], large);
      await withVectors(repos, of('two'), ['a'], large);
      // Room for more vectors is made of older vectors alone.
      await withVectors(repos, of('three'), ['a'], large);
      await put(repos, of('three'), ['a', 'b']);
      await repos.putVectors({ ...of('three'), space, files: [file('b', large)] });
      expect(await repos.space(of('one'))).toBeUndefined();
      expect(await repos.space(of('three'))).toBe(space);
      const huge = { print: 'a', bytes: new Uint8Array(5_000) };
      await expect(repos.putVectors({ ...of('three'), space, files: [huge] })).rejects.toMatchObject({
        code: 'resource_exhausted',
        final: true,
      });
      expect(await repos.withoutVectors({ ...of('three'), space, prints: ['a', 'b'] })).toEqual([]);
      for (const name of ['one', 'two', 'three']) expect(await repos.index(of(name)), name).toBeDefined();
      // An index takes the room of vectors, of its own repository too.
      await put(repos, of('three'), ['a', 'b'], 'y'.repeat(4_000));
      for (const name of ['one', 'two', 'three']) {
        expect(await repos.index(of(name)), name).toBeDefined();
        expect(await repos.space(of(name)), name).toBeUndefined();
      }
    });

    test('tenants and repositories know nothing of each other', async () => {
      const repos = await make(now);
      const names = [
        r,
        { ...r, tenant: 't2' },
        { ...r, repository: 'https://x/y' },
        { tenant: 't1', repository: ':at:c' },
        { tenant: 't.1', repository: '' },
      ];
      for (const [i, name] of names.entries()) {
        if (i % 2 === 0) await put(repos, { ...name, commit: 'c' }, [`p${i}`], `blob ${i}`);
      }
      for (const [i, name] of names.entries()) {
        const index = await repos.index({ ...name, commit: 'c' });
        expect(index).toEqual(i % 2 === 0 ? bytes(`blob ${i}`) : undefined);
        const found = await repos.files({ ...name, prints: names.map((_, k) => `p${k}`) });
        expect([...found.keys()]).toEqual(i % 2 === 0 ? [`p${i}`] : []);
      }
    });
  });
}
