// A lock between the commands of one checkout: a file that names its holders (this process and, while
// it installs, npm). A lock whose holders are all gone is stale. Plain JavaScript for Node 18 to 24.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isAlive } from './process.mjs';
import { Stop } from './stop.mjs';

/**
 * Runs `work` while holding the lock file, and waits for as long as somebody living holds it; `say` is
 * told once whom it waits for. Throws Stop where this user may not write. `work` gets `share(pid)`, which names one more holder: a child that
 * must keep the lock should this process be killed.
 */
export async function withLock(file, work, { say = () => {}, pause = 200 } = {}) {
  assertWritable(dirname(file));
  const mine = { holders: [identify(process.pid)] };
  let told = false;
  while (!take(file, mine)) {
    const held = read(file);
    if (held === undefined) continue; // released between the two looks
    const holder = held.holders.find(isAlive);
    if (holder === undefined) {
      removeStale(file, held);
      await delay(0);
      continue;
    }
    if (!told) say(`waiting for another command of this checkout (pid ${holder.pid}): ${holder.cmd}`);
    told = true;
    await delay(pause);
  }
  try {
    return await work({
      share(pid) {
        const child = identify(pid);
        if (child === undefined) return; // it has ended already
        mine.holders.push(child);
        writeWhole(file, mine);
      },
    });
  } finally {
    rmSync(file, { force: true });
  }
}

function assertWritable(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    rmSync(writeDraft(join(folder, 'writable'), '', 0o600));
  } catch (error) {
    if (error.code !== 'EACCES' && error.code !== 'EROFS') throw error;
    throw new Stop(`this user may not write into ${folder}: work in a checkout of your own`);
  }
}

function take(file, content) {
  const draft = writeDraft(file, content, 0o644);
  try {
    linkSync(draft, file); // unlike rename, fails when the file is there
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

// Two waiters may find the same stale lock; the slower one must not remove the lock that the faster one has
// taken since. So only who holds the guard removes, after one more look. The guard is held for no longer than
// that; should its holder be killed in between, the next one takes it away.
function removeStale(file, stale) {
  const guard = `${file}.guard`;
  if (!take(guard, { holders: [identify(process.pid)] })) {
    const held = read(guard);
    if (held !== undefined && !held.holders.some(isAlive)) rmSync(guard, { force: true });
    return;
  }
  try {
    if (JSON.stringify(read(file)) === JSON.stringify(stale)) rmSync(file);
  } finally {
    rmSync(guard, { force: true });
  }
}

function read(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const content = JSON.parse(text);
    return Array.isArray(content.holders) ? content : { holders: [], text };
  } catch (error) {
    if (error instanceof SyntaxError) return { holders: [], text }; // a torn write: nobody to wait for
    throw error;
  }
}

/** Replaces a file in one step: a reader sees the old content or the new one, never half of it. */
export function writeWhole(file, content, { mode = 0o644 } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  renameSync(writeDraft(file, content, mode), file);
}

function writeDraft(file, content, mode) {
  const draft = `${file}.draft.${process.pid}`;
  rmSync(draft, { force: true }); // one of a killed process would keep its own mode
  writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode });
  return draft;
}
