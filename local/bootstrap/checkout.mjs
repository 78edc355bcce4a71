// What runs from this checkout: the system of `npm start`, noted in .cortex/run.json, and test runs,
// each with a folder under .cortex/tests. Leftovers of killed ones are known by pid, start time and
// command line, and ended by pid. Plain JavaScript for Node 18 to 24.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeWhole } from './lock.mjs';
import { identify, isAlive } from './process.mjs';
import { Stop } from './stop.mjs';

export const runFile = (root) => join(root, '.cortex', 'run.json');
export const lockFile = (root) => join(root, '.cortex', 'install.lock');
const testsFolder = (root) => join(root, '.cortex', 'tests');

/**
 * What .cortex/run.json says, or undefined when there is none or it makes no sense. Throws Stop when it is another
 * user's: who runs a checkout cannot be found out then.
 */
export function readRun(root) {
  return readNote(runFile(root));
}

/** Notes this process as the one that starts the system, before anything else of it exists. */
export function claimRun(root) {
  const run = {
    ...identify(process.pid),
    started_at: new Date().toISOString(),
    state: 'starting',
  };
  writeRun(root, { ...run, urls: {}, health: {}, nats: '', nats_ws: '', redis: '', children: [] });
}

/** Replaces the note. It is this user's alone: it says what runs where, and as what. */
export function writeRun(root, note) {
  writeWhole(runFile(root), note, { mode: 0o600 });
}

/** Removes the note of this process, if it is still this one's: the supervisor never took over. */
export function releaseRun(root) {
  if (readRun(root)?.pid === process.pid) rmSync(runFile(root), { force: true });
}

/**
 * Ends what a killed supervisor left running, last started first, and removes its note. Returns the
 * names of what it ended. A process that took over a pid since is not touched.
 */
export async function endLeftovers(root) {
  const run = readRun(root);
  if (run === undefined) {
    rmSync(runFile(root), { force: true });
    return [];
  }
  const ended = await endProcesses([...(run.children ?? [])].reverse());
  rmSync(runFile(root), { force: true });
  return ended;
}

/** Ends processes one after the other: SIGTERM, and SIGKILL after `patience` ms. Returns their names. */
export async function endProcesses(noted, patience = 5_000) {
  const ended = [];
  for (const child of noted) {
    if (!isAlive(child)) continue;
    ended.push(child.name ?? String(child.pid));
    signal(child.pid, 'SIGCONT');
    signal(child.pid, 'SIGTERM');
    const deadline = Date.now() + patience;
    while (isAlive(child)) {
      if (Date.now() > deadline) signal(child.pid, 'SIGKILL');
      await delay(25);
    }
  }
  return ended;
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Makes the folder of this test run, in which its helpers note the servers that they start. */
export function claimTests(root) {
  const folder = join(testsFolder(root), String(process.pid));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'children'), { recursive: true });
  writeWhole(join(folder, 'owner.json'), identify(process.pid));
  return folder;
}

/** The processes noted in the folder of a test run that still live. */
export function testChildren(folder) {
  return notes(join(folder, 'children')).filter(isAlive);
}

/** Ends what killed test runs left running and removes their folders; living runs are not touched. */
export async function endTestLeftovers(root) {
  for (const folder of testFolders(root)) {
    if (isAlive(readNote(join(folder, 'owner.json')))) continue;
    await endProcesses(testChildren(folder));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Who uses node_modules of this checkout right now, as a half sentence; undefined when nobody does. */
export function inUse(root) {
  const run = readRun(root);
  const running = run === undefined ? undefined : [run, ...(run.children ?? [])].find(isAlive);
  if (running !== undefined) return `CortexOS runs from this checkout (pid ${running.pid})`;
  for (const folder of testFolders(root)) {
    const owner = readNote(join(folder, 'owner.json'));
    if (isAlive(owner)) return `tests run from this checkout (pid ${owner.pid})`;
  }
  return undefined;
}

function testFolders(root) {
  return list(testsFolder(root)).map((name) => join(testsFolder(root), name));
}

function notes(folder) {
  return list(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => readNote(join(folder, name)))
    .filter((note) => note !== undefined);
}

function list(folder) {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function readNote(file) {
  try {
    const note = JSON.parse(readFileSync(file, 'utf8'));
    return typeof note === 'object' && note !== null && Number.isInteger(note.pid) ? note : undefined;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    if (error.code === 'EACCES') throw new Stop(`${file} is another user's: this checkout is theirs to run`);
    throw error;
  }
}
