// What a second `npm start` in the same checkout says about the first. Plain JavaScript for Node 18 to 24.
import { setTimeout as delay } from 'node:timers/promises';
import { readRun } from './checkout.mjs';
import { isAlive } from './process.mjs';
import { Stop } from './stop.mjs';

/**
 * True when a healthy system runs from this checkout already, after saying where. Waits for
 * one that is just starting, stopping or restarting a service, at most `patience` ms. False when none runs. Throws Stop when one
 * runs and does not answer: only its owner knows whether to end it.
 */
export async function runsAlready(root, say, patience = { busy: 60_000, sick: 10_000 }) {
  const begin = Date.now();
  let told = false;
  for (;;) {
    const run = readRun(root);
    if (run === undefined || !isAlive(run)) return false;
    const sick = run.state === 'ready' ? await sickServices(run) : undefined;
    if (sick?.length === 0) {
      say(
        `CortexOS runs from this checkout already: ${run.urls.gateway ?? 'ready'} (pid ${run.pid}, since ${run.started_at})`,
      );
      say(`stop it with: kill ${run.pid}`);
      return true;
    }
    if (Date.now() - begin > (sick === undefined ? patience.busy : patience.sick)) {
      const what = sick === undefined ? `is ${run.state} for too long` : `is not healthy (${sick.join(', ')})`;
      throw new Stop(`CortexOS runs from this checkout (pid ${run.pid}) and ${what}: stop it with: kill ${run.pid}`);
    }
    if (!told)
      say(
        `CortexOS runs from this checkout (pid ${run.pid}) and is ${sick === undefined ? run.state : 'not healthy'}: waiting`,
      );
    told = true;
    await delay(200);
  }
}

async function sickServices(run) {
  const checks = Object.entries(run.health ?? {}).map(async ([name, url]) => ((await answers(url)) ? undefined : name));
  return (await Promise.all(checks)).filter((name) => name !== undefined);
}

async function answers(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch (error) {
    if (error instanceof Error) return false; // refused, reset or silent: not healthy, which is the answer
    throw error;
  }
}
