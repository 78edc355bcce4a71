// Makes sure that nats-server and redis-server are there. As root on Debian or Ubuntu apt brings what is
// missing, without its services being started; everybody else gets one line that says what to type.
import { Stop } from '../bootstrap/stop.mjs';
import type { ServerName } from './find.ts';

/** What is asked of the machine; tests pass another one. */
export interface Machine {
  readonly platform: string;
  readonly isRoot: boolean;
  /** The text of /etc/os-release, empty where there is none. */
  readonly osRelease: string;
  find(name: ServerName): string | undefined;
  /** Runs a command with its output on the terminal; resolves with its exit code. */
  run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number>;
  /** Keeps packages from starting services while `work` runs. */
  withoutServiceStarts<T>(work: () => Promise<T>): Promise<T>;
}

const packages: Readonly<Record<ServerName, { readonly apt: string; readonly brew: string }>> = {
  'nats-server': { apt: 'nats-server', brew: 'nats-server' },
  'redis-server': { apt: 'redis-server', brew: 'redis' },
};

const aptEnv = {
  DEBIAN_FRONTEND: 'noninteractive',
  APT_LISTCHANGES_FRONTEND: 'none',
  NEEDRESTART_MODE: 'l',
};
const aptFlags = ['-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0'];
const keepConfig = ['-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold'];

/** Throws Stop with one line when a server is missing and cannot be installed from here. */
export async function ensureServers(
  names: readonly ServerName[],
  machine: Machine,
  say: (line: string) => void,
  /** Whether NATS_URL and REDIS_URL may name others instead. */
  othersWillDo = true,
): Promise<void> {
  const missing = names.filter((name) => machine.find(name) === undefined);
  if (missing.length === 0) return;
  if (machine.platform !== 'linux' || !isDebian(machine.osRelease) || !machine.isRoot) {
    throw new Stop(instruction(missing, machine, othersWillDo));
  }
  const wanted = missing.map((name) => packages[name].apt);
  say(`installing ${wanted.join(' and ')} with apt-get; the services of these packages are not started`);
  await machine.withoutServiceStarts(async () => {
    const install = () => machine.run('apt-get', ['install', ...aptFlags, ...keepConfig, ...wanted], aptEnv);
    if ((await install()) === 0) return;
    say('apt-get did not find them: reading the package lists anew');
    const code = (await machine.run('apt-get', ['update', '-qq'], aptEnv)) || (await install());
    if (code !== 0) throw new Stop(`apt-get failed (exit code ${code}): install ${wanted.join(' and ')} and try again`);
  });
  const still = missing.filter((name) => machine.find(name) === undefined);
  if (still.length > 0) throw new Stop(`apt-get brought no ${still.join(' and ')}: install it and try again`);
}

function isDebian(osRelease: string): boolean {
  return osRelease.split('\n').some((line) => /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/.test(line));
}

function instruction(missing: readonly ServerName[], machine: Machine, othersWillDo: boolean): string {
  const what = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed`;
  if (machine.platform === 'darwin') {
    return `${what}: run  brew install ${missing.map((name) => packages[name].brew).join(' ')}  and try again`;
  }
  if (machine.platform === 'linux' && isDebian(machine.osRelease)) {
    return `${what}: run  sudo apt-get install ${missing.map((name) => packages[name].apt).join(' ')}  and try again`;
  }
  const others = othersWillDo ? ', or point NATS_URL and REDIS_URL at running servers' : ' and try again';
  return `${what}: install with your package manager${others}`;
}
