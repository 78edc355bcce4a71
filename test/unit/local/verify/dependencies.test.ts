import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type DependencyFiles, dependencyProblems, INSTALL_SCRIPTS } from '../../../../local/verify/dependencies.ts';

const scripted = Object.keys(INSTALL_SCRIPTS).map((name) => [`node_modules/${name}`, { hasInstallScript: true }]);

const sound = {
  manifest: { dependencies: { hono: '4.13.19' }, devDependencies: { '@types/node': '24.19.2' } },
  lock: { packages: { '': {}, ...Object.fromEntries(scripted), 'node_modules/hono': { version: '4.13.19' } } },
  npmrc: 'omit-lockfile-registry-resolved=true\nignore-scripts = true\nsave-exact=true\n',
  readme:
    '# A\n\n## Dependencies\n\n| package | why |\n| --- | --- |\n| `hono` | one app |\n| `@types/node` | types |\n\n## B\n| `x` | |\n',
} satisfies DependencyFiles;

const lockWith = (path: string, entry: object): Pick<DependencyFiles, 'lock'> => ({
  lock: { packages: { ...sound.lock.packages, [path]: entry } },
});

test('finds nothing wrong where nothing is', () => {
  expect(dependencyProblems(sound)).toEqual([]);
  const donations = { funding: { url: 'https://example.invalid/fund' } };
  expect(dependencyProblems({ ...sound, ...lockWith('node_modules/hono', donations) })).toEqual([]);
});

test.each<[string, Partial<DependencyFiles>, string]>([
  [
    'a range',
    { manifest: { dependencies: { hono: '^4.13.19', '@types/node': '24.19.2' } } },
    'hono is not pinned: ^4.13.19',
  ],
  ['a tag', { manifest: { dependencies: { hono: 'latest', '@types/node': '24.19.2' } } }, 'hono is not pinned: latest'],
  [
    'a package without a row',
    { manifest: { ...sound.manifest, optionalDependencies: { zod: '4.6.7' } } },
    'README.md: the dependency table has no row for zod',
  ],
  [
    'a row without a package',
    { readme: sound.readme.replace('| `hono`', '| `gone` | was |\n| `hono`') },
    'gone has a row but',
  ],
  ['a row without a reason', { readme: sound.readme.replace('one app', '') }, 'hono has a row without a reason'],
  [
    'scripts that would run',
    { npmrc: sound.npmrc.replace('ignore-scripts = true', '') },
    'ignore-scripts=true is missing',
  ],
  ['engine-strict', { npmrc: `${sound.npmrc}engine-strict=true` }, 'engine-strict'],
  [
    'an install script',
    lockWith('node_modules/a/node_modules/@b/c', { hasInstallScript: true }),
    '@b/c has an install script',
  ],
  [
    'a script that is gone',
    { lock: { packages: {} } },
    'protobufjs is allowed an install script that it does not have',
  ],
  [
    'a platform package without an entry',
    lockWith('node_modules/a', { optionalDependencies: { 'a-darwin-x64': '1.0.0' } }),
    'a-darwin-x64, wanted by node_modules/a, has no entry',
  ],
  ['a resolved address', lockWith('node_modules/a', { resolved: 'x' }), 'says where it was resolved from'],
  [
    'an address as version',
    lockWith('node_modules/a', { version: 'git+ssh://example.invalid/a' }),
    'has an address in version',
  ],
])('names %s', (_, change, problem) => {
  expect(dependencyProblems({ ...sound, ...change }).join('\n')).toContain(problem);
});

test('is the table of this README that is read', () => {
  const read = (name: string): string => readFileSync(new URL(`../../../../${name}`, import.meta.url), 'utf8');
  const without = read('README.md').replace(/^\| `hono` .*$/m, '');
  const manifest: unknown = JSON.parse(read('package.json'));
  const lock = JSON.parse(read('package-lock.json')) as DependencyFiles['lock'];
  const problems = dependencyProblems({ manifest, lock, npmrc: read('.npmrc'), readme: without });
  expect(problems).toContain('README.md: the dependency table has no row for hono');
});
