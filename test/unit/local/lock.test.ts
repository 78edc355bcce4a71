// The lock of a checkout: one holder at a time, a dead holder holds nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../../local/bootstrap/lock.mjs';
import { identify, isAlive } from '../../../local/bootstrap/process.mjs';
import { repository } from '../../helpers/checkout.ts';
import { until } from '../../helpers/until.ts';

let dir = '';
let file = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cortex-lock-'));
  file = join(dir, 'install.lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A process that has already ended, as somebody might have noted it. */
async function deadProcess() {
  const child = spawn('sleep', ['60']);
  const noted = identify(child.pid ?? 0);
  if (noted === undefined) throw new Error('sleep did not start');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return noted;
}

describe('withLock', () => {
  it('lets one process in at a time', async () => {
    const script = join(dir, 'enter.mjs');
    const log = join(dir, 'log');
    writeFileSync(
      script,
      `import { appendFileSync } from 'node:fs';
       import { setTimeout as delay } from 'node:timers/promises';
       import { withLock } from ${JSON.stringify(join(repository, 'local/bootstrap/lock.mjs'))};
       for (let i = 0; i < 5; i++) await withLock(${JSON.stringify(file)}, async () => {
         appendFileSync(${JSON.stringify(log)}, 'in ' + process.pid + '\\n');
         await delay(5);
         appendFileSync(${JSON.stringify(log)}, 'out ' + process.pid + '\\n');
       }, { pause: 3 });`,
    );
    const children = [1, 2, 3].map(() => spawn(process.execPath, [script], { stdio: 'inherit' }));
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as unknown));
    expect(codes).toEqual([0, 0, 0]);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(30);
    for (let i = 0; i < lines.length; i += 2) expect(lines[i + 1]).toBe(lines[i]?.replace('in', 'out'));
  });

  it('says whom it waits for and goes in when that one leaves', async () => {
    const child = spawn('sleep', ['60']);
    const holder = identify(child.pid ?? 0);
    writeFileSync(file, JSON.stringify({ holders: [holder] }));
    const said: string[] = [];
    let inside = false;
    const entered = withLock(file, () => void (inside = true), { say: (line) => said.push(line), pause: 5 });
    await until(() => said.length > 0);
    expect(said).toEqual([expect.stringContaining(`pid ${child.pid}`)]);
    expect(inside).toBe(false);
    child.kill('SIGKILL');
    await entered;
    expect(inside).toBe(true);
    expect(existsSync(file)).toBe(false);
  });

  it('takes over from a dead holder, from a recycled pid, and from half a file', async () => {
    const dead = await deadProcess();
    const recycled = { ...identify(process.pid), startTime: '1' };
    for (const text of [JSON.stringify({ holders: [dead] }), JSON.stringify({ holders: [recycled] }), '{"hol', '']) {
      writeFileSync(file, text);
      expect(await withLock(file, () => readFileSync(file, 'utf8'), { pause: 5 })).toContain(String(process.pid));
      expect(readdirSync(dir)).toEqual([]);
    }
  });

  it('takes over although somebody was killed while taking over', async () => {
    const text = JSON.stringify({ holders: [await deadProcess()] });
    writeFileSync(file, text);
    writeFileSync(`${file}.guard`, text);
    expect(await withLock(file, () => 'in')).toBe('in');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is taken over by one of many waiters, however slow each step of theirs', async () => {
    // Between any two looks at a file, another process may have done any number of steps.
    const slow = join(dir, 'slow.cjs');
    writeFileSync(
      slow,
      `const fs = require('node:fs');
       for (const name of ['linkSync', 'renameSync', 'rmSync', 'readFileSync']) {
         const real = fs[name];
         fs[name] = (...args) => {
           const done = real(...args);
           if (String(args[0]).startsWith(${JSON.stringify(file)})) {
             Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * 8);
           }
           return done;
         };
       }
       require('node:module').syncBuiltinESMExports();`,
    );
    const script = join(dir, 'die.mjs');
    const inside = join(dir, 'inside');
    writeFileSync(
      script,
      `import { mkdirSync, rmdirSync } from 'node:fs';
       import { setTimeout as delay } from 'node:timers/promises';
       import { withLock } from ${JSON.stringify(join(repository, 'local/bootstrap/lock.mjs'))};
       await withLock(${JSON.stringify(file)}, async () => {
         mkdirSync(${JSON.stringify(inside)}); // fails when somebody else is inside
         await delay(10);
         rmdirSync(${JSON.stringify(inside)});
         process.exit(); // dies without leaving: the next one finds a stale lock
       }, { pause: 1 });`,
    );
    writeFileSync(file, JSON.stringify({ holders: [await deadProcess()] }));
    const children = Array.from({ length: 10 }, () =>
      spawn(process.execPath, ['--require', slow, script], { stdio: ['ignore', 'ignore', 'pipe'] }),
    );
    const ends = await Promise.all(
      children.map(async (child) => {
        let errors = '';
        child.stderr.on('data', (text) => (errors += String(text)));
        const [code] = (await once(child, 'close')) as [number];
        return { code, errors };
      }),
    );
    expect(ends).toEqual(children.map(() => ({ code: 0, errors: '' })));
  });

  it('is held by the child it was shared with when the holder is killed', async () => {
    const script = join(dir, 'share.mjs');
    writeFileSync(
      script,
      `import { spawn } from 'node:child_process';
       import { withLock } from ${JSON.stringify(join(repository, 'local/bootstrap/lock.mjs'))};
       await withLock(${JSON.stringify(file)}, async (hold) => {
         const child = spawn('sleep', ['60'], { stdio: 'ignore' });
         hold.share(child.pid);
         console.log(child.pid);
         await new Promise(() => setInterval(() => {}, 1000));
       });`,
    );
    const holder = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const grandchild = Number(String((await once(holder.stdout, 'data'))[0]));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const said: string[] = [];
    const entered = withLock(file, () => 'in', { say: (line) => said.push(line), pause: 5 });
    await until(() => said.length > 0);
    expect(said[0]).toContain(`pid ${grandchild}`);
    process.kill(grandchild, 'SIGKILL');
    expect(await entered).toBe('in');
  });

  it.runIf(process.geteuid?.() === 0)("says in one line that the checkout is another user's", async () => {
    chmodSync(dir, 0o755);
    process.seteuid?.(65_534);
    try {
      const told = { name: 'Stop', message: `this user may not write into ${dir}: work in a checkout of your own` };
      await expect(withLock(file, () => 'in')).rejects.toMatchObject(told);
      const below = join(dir, 'new', 'install.lock');
      await expect(withLock(below, () => 'in')).rejects.toMatchObject({ name: 'Stop' });
    } finally {
      process.seteuid?.(0);
    }
  });

  it('is free again when the work fails', async () => {
    const work = () => Promise.reject(new Error('the work failed'));
    await expect(withLock(file, work)).rejects.toThrow('the work failed');
    expect(existsSync(file)).toBe(false);
  });
});

describe('isAlive', () => {
  it('wants pid, start time and command line to agree', async () => {
    const me = identify(process.pid);
    if (me === undefined) throw new Error('this process is not in the process table');
    expect(isAlive(me)).toBe(true);
    expect(isAlive({ ...me, startTime: `${me.startTime}0` })).toBe(false);
    expect(isAlive({ ...me, cmd: 'another command' })).toBe(false);
    expect(isAlive(await deadProcess())).toBe(false);
  });

  it('reads a command with blanks and brackets in its name', async () => {
    const name = join(dir, 'odd ) 1 (name');
    writeFileSync(name, '#!/bin/sh\necho up\nread line\n', { mode: 0o755 });
    const child = spawn(name, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const noted = identify(child.pid ?? 0);
    expect(noted?.cmd).toContain('odd ) 1 (name');
    expect(noted?.startTime).toMatch(/^\d+$/);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});
