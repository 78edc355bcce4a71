import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('fixtures/chatter.ts', import.meta.url));

it('nothing written before exit is lost, even when the pipe is full', async () => {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const lines = (await child.stdout.setEncoding('utf8').toArray()).join('').trimEnd().split('\n');
  expect(lines).toHaveLength(20_000);
  expect(lines.map((line) => (JSON.parse(line) as { i: number }).i)).toEqual(Array.from(lines, (_, i) => i));
  expect(await closed).toEqual([3, null]);
});

it('a process lives on when nobody reads its log any more', async () => {
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, WAIT: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const heard = once(child.stderr, 'data');
  child.stdin.write('say more');
  expect(String((await heard)[0])).toBe('alive'); // a stack trace otherwise
  child.stdin.end();
  expect(await closed).toEqual([0, null]);
});
