// The file of API_KEYS_PATH, changed by hand of a command: read, changed and put back in one step, so that a gateway that looks at
// it in between sees the old keys or the new ones. What the lines mean is core/http/api-keys.ts.
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { type ApiKey, formatApiKey, parseApiKeys } from '#core/http/api-keys.ts';
import { withLock } from '../bootstrap/lock.mjs';
import { Stop } from '../bootstrap/stop.mjs';
import { exit } from './exit.ts';
import { problemOfFile } from './files.ts';

/** The keys of the file. Throws Stop for one that cannot be read or is not such a file. */
export function readKeys(file: string): readonly ApiKey[] {
  return keysOf(file, readFile(file));
}

/** Adds a key; the file is made when there is none. Comments in it stay. */
export async function addKey(file: string, key: ApiKey): Promise<void> {
  await change(file, (text, keys) => {
    const begun = text === '' || text.endsWith('\n') ? text : `${text}\n`;
    return [`${begun}${formatApiKey(key)}`, [...keys, key]];
  });
}

/** Takes a key out; answers it. Throws Stop when there is none of that id. */
export async function removeKey(file: string, id: string): Promise<ApiKey> {
  let removed: ApiKey | undefined;
  await change(file, (text, keys) => {
    removed = keys.find((key) => key.id === id);
    if (removed === undefined) throw new Stop(`${file}: holds no key with the id ${id}`, exit.notFound);
    const others = text.split('\n').filter((line) => idOfLine(line) !== id);
    return [others.join('\n'), keys.filter((key) => key.id !== id)];
  });
  if (removed === undefined) throw new Error('the change was not made'); // and did not say why
  return removed;
}

function idOfLine(line: string): string | undefined {
  const parsed = parseApiKeys(line);
  return parsed.ok && parsed.value.length === 1 ? parsed.value[0]?.id : undefined;
}

/** What the text of the file becomes, and the keys that it must then hold. */
type Edit = (text: string, keys: readonly ApiKey[]) => readonly [text: string, keys: readonly ApiKey[]];

async function change(given: string, edit: Edit): Promise<void> {
  try {
    // A link stays a link to where the gateway reads.
    const file = statSync(given, { throwIfNoEntry: false }) === undefined ? given : realpathSync(given);
    await withLock(`${file}.lock`, () => {
      const exists = statSync(file, { throwIfNoEntry: false }) !== undefined;
      const text = exists ? readFile(file) : '';
      const [edited, wanted] = edit(text, keysOf(file, text));
      const read = parseApiKeys(edited);
      // A file in another form, such as one JSON list: it is written anew, one line for each key.
      const same = read.ok && JSON.stringify(read.value) === JSON.stringify(wanted);
      replace(file, same ? edited : wanted.map(formatApiKey).join(''));
    });
  } catch (error) {
    if (error instanceof Stop) throw error;
    throw new Stop(problemOfFile(given, error), exit.usage);
  }
}

/** Mode 0600 from its first moment on, the owner of the file before it, on the disk before it counts. */
function replace(file: string, text: string): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const before = statSync(file, { throwIfNoEntry: false });
  const fd = openSync(draft, 'wx', 0o600);
  try {
    try {
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    // The gateway that reads the file may run as somebody else than the administrator who adds a key.
    if (before !== undefined && before.uid !== process.geteuid?.()) chownSync(draft, before.uid, before.gid);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Stop(problemOfFile(file, error), exit.usage);
  }
}

function keysOf(file: string, text: string): readonly ApiKey[] {
  const parsed = parseApiKeys(text);
  if (parsed.ok) return parsed.value;
  throw new Stop(`${file}: is no file of keys: ${parsed.error.join('; ')}`, exit.usage);
}
