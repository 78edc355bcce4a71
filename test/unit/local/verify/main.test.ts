import { expect, test } from 'vitest';
import { type Gate, gates, runTool } from '../../../../local/verify/gates.ts';
import { main, runGates } from '../../../../local/verify/main.ts';

const gate = (name: string, ok: boolean): Gate => ({
  name,
  run: () => Promise.resolve({ ok, output: `${name} says\nmore` }),
});

async function verify(args: string[], ...all: Gate[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await main(args, { all, say: (line) => lines.push(line) });
  return { code, lines };
}

test('one line per passed gate, the output of a failed one, and the count last', async () => {
  const { code, lines } = await verify([], gate('calm', true), gate('cross', false));
  expect(code).toBe(1);
  expect(lines.map((line) => line.replace(/\d+\.\d s/, 'T'))).toEqual([
    'ok     calm         T',
    'FAILED cross        T\n  cross says\n  more',
    'verify: 1 passed, 1 failed',
  ]);
});

test('all passed is exit code 0', async () => {
  const { code, lines } = await verify([], gate('calm', true));
  expect([code, lines.at(-1)]).toEqual([0, 'verify: 1 passed, 0 failed']);
});

test('runs only the gates that were named', async () => {
  const { code, lines } = await verify(['calm'], gate('calm', true), gate('cross', false));
  expect([code, lines.length, lines.at(-1)]).toEqual([0, 2, 'verify: 1 passed, 0 failed']);
});

test.each(['clam', '--fixx'])('refuses %s, which is no gate and no option', async (word) => {
  const { code, lines } = await verify([word], gate('calm', true));
  expect([code, lines]).toEqual([2, [`verify: ${word} not understood; gates are calm, option --fix`]]);
});

test('a gate that throws has failed, and the others still run', async () => {
  const broken: Gate = { name: 'broken', run: () => Promise.reject(new Error('no README')) };
  const results = await runGates([broken, gate('calm', true), gate('other', true)]);
  expect(results.map(({ name, ok }) => `${name} ${ok}`).toSorted()).toEqual([
    'broken false',
    'calm true',
    'other true',
  ]);
  expect(results.find(({ name }) => name === 'broken')?.output).toBe('Error: no README');
});

test('a command counts by its exit code, with both streams', async () => {
  const script = "console.log('out'); console.error('err'); process.exitCode = Number(process.argv[1])";
  const run = (code: string): ReturnType<typeof runTool> => runTool([process.execPath, '-e', script, code]);
  expect((await run('0')).ok).toBe(true);
  const failed = await run('3');
  expect(failed.ok).toBe(false);
  expect(failed.output).toContain('out\n');
  expect(failed.output).toContain('err\n');
  expect(await runTool(['no-such-command-here'])).toMatchObject({
    ok: false,
    output: expect.stringMatching(/ENOENT|EACCES/),
  });
});

test('the six gates are there, and one that is large runs when it is named', () => {
  const named = (demand: boolean) =>
    gates
      .filter(({ onDemand = false }) => onDemand === demand)
      .map(({ name }) => name)
      .toSorted();
  expect(named(false)).toEqual(['architecture', 'dependencies', 'format', 'lint', 'proto', 'types']);
  expect(named(true)).toEqual(['sst']);
});

test('a gate on demand does not run by itself', async () => {
  const ran: string[] = [];
  const gate = (name: string, onDemand = false) => ({
    name,
    onDemand,
    run: async () => {
      ran.push(name);
      return { ok: true, output: '' };
    },
  });
  const all = [gate('small'), gate('large', true)];
  expect(await main([], { all, say: () => undefined })).toBe(0);
  expect(ran.splice(0)).toEqual(['small']);
  expect(await main(['large'], { all, say: () => undefined })).toBe(0);
  expect(ran).toEqual(['large']);
});
