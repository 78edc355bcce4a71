// Where nats-server and redis-server are on this machine. It looks, it installs nothing.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type ServerName = 'nats-server' | 'redis-server';

/** Debian keeps nats-server in /usr/sbin, which an ordinary user does not have on PATH. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin'];

/** The full path of a server: PATH first, then the usual folders; undefined when it is not there. */
export function findServer(
  name: ServerName,
  path: string = process.env['PATH'] ?? '',
  usual: readonly string[] = USUAL_FOLDERS,
): string | undefined {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...usual];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch (error) {
    // Not there, or not for us: either way the next folder is asked.
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}
