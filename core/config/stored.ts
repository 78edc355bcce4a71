// Configuration texts in Redis (`config:<name>`), for runtimes that have no files. They are the same texts as the files, with a version:
// a sequence that grows with every change, and the digest of the text. Who pushes has checked the text; who reads checks it again.
import { CortexError } from '#core/errors.ts';
import { formatPolicy, type PolicyVersion } from '#core/jobs/job.ts';
import { digestOf } from '#core/jobs/submission.ts';
import { int, list, type Redis, script, text } from '#core/redis/redis.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Clock } from '#core/system.ts';

/** What may be kept: the safety policy, the API keys, pools and time-outs. */
export const storedNames = ['policy', 'keys', 'pools', 'timeouts'] as const;
export type StoredName = (typeof storedNames)[number];

export interface StoredConfig {
  readonly version: PolicyVersion;
  readonly text: string;
}

/** Where it is kept. */
export const storedKey = (name: StoredName): string => `config:${name}`;

// KEYS[1]: where. ARGV: text, its digest. The version in force afterwards, and whether it is new. The same text again changes nothing.
const pushScript = script(
  'config-push',
  /* lua */ `
local old=redis.call('HMGET',KEYS[1],'sequence','hash')
if old[2]==ARGV[2] then return {old[1],0} end
local t=redis.call('TIME')
local sequence=string.format('%d',math.max(t[1]*1000+math.floor(t[2]/1000),tonumber(old[1] or '0')+1))
redis.call('HSET',KEYS[1],'sequence',sequence,'hash',ARGV[2],'text',ARGV[1])
return {sequence,1}`,
);

const readScript = script(
  'config-read',
  /* lua */ `
local key=redis.pcall('HMGET',KEYS[1],'sequence','hash','text')
if key.err then return false end
return key`,
);

/** Puts a text in force. Answers its version, and whether it is another text than before. */
export async function pushConfig(
  redis: Pick<Redis, 'run'>,
  name: StoredName,
  content: string,
): Promise<{ readonly version: PolicyVersion; readonly changed: boolean }> {
  const hash = digestOf(content);
  const [sequence, changed] = list(await redis.run(pushScript, [storedKey(name)], [content, hash]));
  return { version: { sequence: int(sequence), hash }, changed: changed === 1 };
}

const removeScript = script('config-remove', `return redis.call('DEL',KEYS[1])`);

/** Takes a text out of force; answers whether there was one. */
export async function removeConfig(redis: Pick<Redis, 'run'>, name: StoredName): Promise<boolean> {
  return (await redis.run(removeScript, [storedKey(name)], [])) === 1;
}

/** The text in force; undefined when none was pushed. Throws CortexError `data_loss` when what is there is none of ours. */
export async function readConfig(redis: Pick<Redis, 'run'>, name: StoredName): Promise<StoredConfig | undefined> {
  const reply = await redis.run(readScript, [storedKey(name)], []);
  const [sequence, hash, content] = reply === null || reply === 0 ? [null, null, ''] : list(reply).map(orNull);
  if (sequence === null && hash === null && content === null) return undefined;
  const version = { sequence: int(sequence), hash: text(hash) };
  if (typeof content === 'string' && Number.isSafeInteger(version.sequence) && digestOf(content) === version.hash)
    return { version, text: content };
  throw new CortexError('data_loss', `${storedKey(name)} does not hold what cortex config push writes`);
}

export interface StoredSourceOptions<T> {
  readonly redis: Pick<Redis, 'run'>;
  readonly name: StoredName;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Reads the text, or says every problem. */
  readonly parse: (content: string) => Result<T, readonly string[]>;
  /** How long one look is good for, ms. Default 1,000. */
  readonly everyMs?: number;
}

export interface InForce<T> {
  readonly value: T;
  readonly version: PolicyVersion;
}

/**
 * What is in force, looked at when somebody asks and at most once a second; the same object until it changes. Undefined when none was
 * pushed. The error is `failed_precondition` (the text cannot be used; the one of before is not used instead), or what Redis throws.
 */
export type StoredSource<T> = () => Promise<Result<InForce<T> | undefined>>;

/** A source without state but the last answer: no request waits for what another one has begun. */
export function createStoredSource<T>(options: StoredSourceOptions<T>): StoredSource<T> {
  const { redis, name, clock, parse, everyMs = 1_000 } = options;
  let looked = Number.NEGATIVE_INFINITY;
  let last: Result<InForce<T> | undefined> = ok(undefined);
  const accept = (found: StoredConfig | undefined): Result<InForce<T> | undefined> => {
    if (found === undefined) return ok(undefined);
    const { version } = found;
    if (last.ok && last.value?.version.hash === version.hash && last.value.version.sequence === version.sequence)
      return last;
    const parsed = parse(found.text);
    if (parsed.ok) return ok({ value: parsed.value, version });
    const problems = `${storedKey(name)} (${formatPolicy(version)}): ${parsed.error.join('; ')}`;
    return err(new CortexError('failed_precondition', problems));
  };
  return async () => {
    const now = clock.monotonic();
    if (now - looked < everyMs) return last;
    try {
      last = accept(await readConfig(redis, name));
      looked = now;
      return last;
    } catch (error) {
      if (error instanceof CortexError) return err(error);
      throw error;
    }
  };
}

function orNull<T>(value: T | false): T | null {
  return value === false ? null : value;
}
