// `npm test` itself: which suites a name means, how results are counted, and what its first step does.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identify, isAlive } from '../../../local/bootstrap/process.mjs';
import { add, countVerify, countVitest, exitCode, lastLine, nothing } from '../../../local/testing/count.ts';
import { chooseSuites } from '../../../local/testing/suites.ts';
import { type Checkout, createCheckout, repository } from '../../helpers/checkout.ts';
import { until } from '../../helpers/until.ts';

const file = (statuses: string[], status = statuses.includes('failed') ? 'failed' : 'passed') => ({
  status,
  assertionResults: statuses.map((one) => ({ status: one })),
});
const report = (...testResults: object[]) => ({ testResults });

describe('counting', () => {
  it('sums passed, failed and everything that did not run', () => {
    const seen = report(file(['passed', 'passed', 'pending']), file(['failed', 'passed', 'todo', 'skipped']));
    expect(countVitest(seen, 1)).toEqual({ passed: 3, failed: 1, skipped: 3 });
    expect(countVerify('ok lint\nverify: 5 passed, 1 failed\n', 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
  });

  it.each([
    ['a file that did not load', countVitest(report(file(['passed']), file([], 'failed')), 1)],
    ['a file whose hook failed after its tests', countVitest(report(file(['passed'], 'failed')), 1)],
    ['an error outside any test', countVitest(report(file(['passed'])), 1)],
    ['no report', countVitest(undefined, 0)],
    ['a report that is none', countVitest({ testResults: [{}] }, 0)],
    ['no tests', countVitest(report(), 0)],
    ['verify without its last line', countVerify('ok lint\n', 0)],
    ['verify that ended badly all the same', countVerify('verify: 6 passed, 0 failed\n', 1)],
    ['verify without a gate', countVerify('verify: 0 passed, 0 failed\n', 0)],
  ])('counts as a failure: %s', (_what, count) => {
    expect(count.failed).toBe(1);
    expect(exitCode(count)).toBe(1);
  });

  it('ends with the three numbers, and with success only when something passed and nothing failed', () => {
    const count = add({ passed: 2, failed: 0, skipped: 1 }, { passed: 40, failed: 0, skipped: 0 });
    expect(lastLine(count)).toBe('42 passed, 0 failed, 1 skipped');
    expect(exitCode(count)).toBe(0);
    expect(exitCode({ ...count, failed: 1 })).toBe(1);
    expect(exitCode({ ...nothing, skipped: 3 })).toBe(1);
  });
});

describe('choosing', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cortex-suites-'));
    mkdirSync(join(root, 'test', 'unit', 'local'), { recursive: true });
    mkdirSync(join(root, 'test', 'e2e'), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const names = (...args: string[]) => chooseSuites(root, args).suites.map(({ name }) => name);

  it('runs everything that is there, and says what is not', () => {
    expect(names()).toEqual(['verify', 'unit', 'e2e']);
    expect(chooseSuites(root, []).absent).toEqual(['contract', 'http', 'workerd', 'bench-counters']);
  });

  it('runs the long versions when it is asked to, and by `npm run e2e`', () => {
    expect(chooseSuites(root, []).long).toBe(false);
    expect(chooseSuites(root, ['e2e']).long).toBe(false);
    expect(chooseSuites(root, ['--long'])).toMatchObject({ long: true, suites: [{}, {}, { name: 'e2e' }] });
    const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      scripts: { e2e: string };
    };
    const args = scripts.e2e.split(' ').slice(3);
    expect(chooseSuites(root, args)).toMatchObject({ long: true, suites: [{ name: 'e2e' }] });
  });

  it('runs suites by name, even when they are empty, and paths with or without test/', () => {
    expect(names('contract', 'architecture')).toEqual(['contract', 'architecture']);
    expect(names('unit/local')).toEqual(['test/unit/local']);
    expect(names('test/unit', 'test/e2e')).toEqual(['test/unit test/e2e']);
    expect(chooseSuites(root, ['unit', '-t', 'lock'])).toMatchObject({ pattern: 'lock', suites: [{ name: 'unit' }] });
  });

  it('refuses what is neither', () => {
    expect(() => names('untit')).toThrow(/^untit: neither a file nor one of verify, unit, /);
    expect(() => names('unit', '-t')).toThrow(/^-t: needs the pattern/);
  });
});

describe('the first step', () => {
  let checkout: Checkout;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    checkout = createCheckout();
    mkdirSync(join(checkout.root, 'local', 'testing'));
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await checkout.remove();
  });
  const second = (code: string) => writeFileSync(join(checkout.root, 'local', 'testing', 'main.ts'), code);
  const runs = () => join(checkout.root, '.cortex', 'tests');

  it('hides NATS_URL and REDIS_URL, passes arguments on and the exit code back', async () => {
    second(`console.log(process.argv.slice(2).join(), process.env.NATS_URL, process.env.REDIS_URL, process.version);
            process.exit(9);`);
    const env = { NATS_URL: 'nats://127.0.0.1:1', REDIS_URL: 'redis://127.0.0.1:1' };
    const command = checkout.run('test.mjs', ['unit', 'http'], env);
    expect(await command.ended).toBe(9);
    expect(command.output()).toMatch(/^unit,http undefined undefined v(2[4-9]|[3-9]\d)\./);
    expect(readdirSync(runs())).toEqual([]);
  });

  it('ends what a killed run left running, and leaves a living run alone', async () => {
    const [mine, theirs] = [spawn('sleep', ['60']), spawn('sleep', ['60'])];
    children.push(mine, theirs);
    const note = (owner: unknown, child: ChildProcess, name: string) => {
      const folder = join(runs(), name);
      mkdirSync(join(folder, 'children'), { recursive: true });
      writeFileSync(join(folder, 'owner.json'), JSON.stringify(owner));
      writeFileSync(join(folder, 'children', '1.json'), JSON.stringify(identify(child.pid ?? 0)));
    };
    const before = [identify(mine.pid ?? 0), identify(theirs.pid ?? 0)];
    note({ ...identify(process.pid), startTime: '1' }, mine, 'killed');
    note(identify(process.pid), theirs, 'living');
    second('');
    expect(await checkout.run('test.mjs').ended).toBe(0);
    expect(before.map((noted) => noted !== undefined && isAlive(noted))).toEqual([false, true]);
    expect(readdirSync(runs())).toEqual(['living']);
  });

  it('passes a signal on and waits for the end', async () => {
    second(`process.on('SIGTERM', () => { console.log('ending'); process.exit(3); });
            setInterval(() => {}, 1000); console.log('up');`);
    const command = checkout.run('test.mjs');
    await until(() => command.output().includes('up'));
    expect(existsSync(join(runs(), String(command.pid), 'owner.json'))).toBe(true);
    command.child.kill('SIGTERM');
    expect(await command.ended).toBe(3);
    expect(command.output()).toContain('ending');
  });
});
