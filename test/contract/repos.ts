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

    test('keeps an index and its files, byte for byte', async () => {
      const repos = await make(now);
      expect(await repos.latest(r)).toBeUndefined();
      const odd = Uint8Array.from({ length: 3_000 }, (_, i) => (i * 7) % 256);
      await repos.putFiles({ ...r, files: [{ print: 'a', bytes: odd }, file('b')] });
      expect(await repos.missing({ ...r, prints: ['a', 'c', 'b'] })).toEqual(['c']);
      expect(await repos.putIndex({ ...r, commit: 'c1', blob: odd, prints: ['a', 'b'] })).toBe('ok');
      expect(await repos.latest(r)).toBe('c1');
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
      expect(await repos.latest(r)).toBeUndefined();
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
      expect(await repos.latest(r)).toBe('c2');
      await put(repos, { ...r, commit: 'c4' }, ['e']);
      expect(await repos.index({ ...r, commit: 'c3' })).toBeUndefined();
      expect(await repos.index({ ...r, commit: 'c2' })).toBeDefined();
      expect(await repos.missing({ ...r, prints: ['b', 'c', 'd', 'e'] })).toEqual(['d']);
    });

    test('the repositories of a tenant that were not used for longest give way', async () => {
      const repos = await make(now, { bytes: 4_000 });
      const of = (repository: string, tenant = 't1'): RepoCommit => ({ tenant, repository, commit: 'c' });
      const large = 'x'.repeat(1_200);
      await put(repos, of('one'), ['a'], large);
      await put(repos, of('two'), ['a'], large);
      await put(repos, of('other', 't2'), ['a'], large);
      time += 10;
      expect(await repos.latest(of('one'))).toBe('c');
      await put(repos, of('three'), ['a'], large);
      await put(repos, of('four'), ['a'], large);
      expect(await repos.latest(of('two'))).toBeUndefined();
      expect(await repos.index(of('two'))).toBeUndefined();
      expect(await repos.latest(of('four'))).toBe('c');
      expect(await repos.latest(of('other', 't2'))).toBe('c');
      const huge = { print: 'h', bytes: new Uint8Array(9_000) };
      await expect(repos.putFiles({ ...of('four'), files: [huge] })).rejects.toMatchObject({
        code: 'resource_exhausted',
        field: 'repository',
      });
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
