// Repositories on Redis. Of each one, h being a digest of its name: repo:<tenant>:<h>:at:<commit>, the index; :in:<commit>, a set of the
// files it names; :files, a hash of files as base64; :new, a set of those whose commit is still to come; :put:<commit>, what one to come
// names, as far as it is known; :head, a zset of commits by when they were put; :vectors, a hash of vectors by file, as base64, and :space, what
// these are comparable by. Of a tenant: repos:<tenant>, a zset of repositories by when they were used, and repos:<tenant>:bytes, a hash of
// how many bytes each has, and all in `total`, :vectors of these those of vectors.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { fromBase64, toBase64 } from '#core/base64.ts';
import { createKeys, type Keys } from '#core/jobs/keys.ts';
import { type Arg, type BinaryRedis, list, type Reply, type Script, text } from '#core/redis/redis.ts';
import * as scripts from './redis-repos-scripts.ts';
import {
  type KeptFile,
  noRoom,
  noRoomForVectors,
  type RepoLimits,
  repoLimits,
  type RepoName,
  type Repos,
} from './repo/repos.ts';

export interface RedisReposOptions {
  readonly redis: BinaryRedis;
  readonly keys?: Keys;
  readonly limits?: Partial<RepoLimits> | undefined;
  /** For tests: ms since the epoch instead of Redis TIME. */
  readonly now?: () => number;
}

/** Bytes of files in one call, about, and names in one. */
const callBytes = 1_000_000;
const callNames = 5_000;
const fewFiles = 200;
const fewVectors = 50;

/** Throws what the driver throws. */
export function createRedisRepos({ redis, keys = createKeys(1), limits, now }: RedisReposOptions): Repos {
  const { bytes, commits, repositories, ttlMs } = { ...repoLimits, ...limits };
  const call = (of: Script, { tenant, repository }: RepoName, args: readonly (Arg | Uint8Array)[] = []) => {
    const { names, h } = namesOf(keys, tenant, repository);
    const all = [h, ttlMs, bytes, commits, repositories, now?.() ?? 0, ...args];
    return all.some((one) => one instanceof Uint8Array)
      ? redis.runBytes(of, names, all)
      : redis.run(of, names, all as readonly Arg[]);
  };
  /** What makes room takes away only so much at a time. */
  const put = async (
    of: Script,
    name: RepoName,
    args: readonly (Arg | Uint8Array)[],
    full = noRoom,
  ): Promise<Reply> => {
    for (;;) {
      const answer = await call(of, name, args);
      if (answer === 'full') throw full(bytes);
      if (answer !== 'again') return answer;
    }
  };
  return {
    async find({ commit = '', ...name }) {
      const [found, generation] = list(await call(scripts.find, name, [commit])).map(text);
      return found === undefined || generation === undefined ? undefined : { commit: found, generation };
    },
    async index(at) {
      const { names } = namesOf(keys, at.tenant, at.repository);
      const [blob] = await Promise.all([redis.getBytes(`${names[0]}:at:${at.commit}`), call(scripts.use, at)]);
      return blob ?? undefined;
    },
    async missing({ prints, ...name }) {
      const out: string[] = [];
      for (const some of parts(prints, callNames)) out.push(...list(await call(scripts.missing, name, some)).map(text));
      return out;
    },
    async putFiles({ files, of, ...name }) {
      const sizes = files.flatMap(({ print, bytes: { length } }) => [print, base64Length(length)]);
      const these = new Set(files.map(({ print }) => print));
      const others = of?.prints.filter((print) => !these.has(print)) ?? [];
      await put(scripts.makeRoom, name, [of?.indexBytes ?? 0, files.length, ...sizes, ...others]);
      for (const some of batches(files)) {
        const args = some.flatMap(({ print, bytes: packed }) => [print, toBase64(packed)]);
        await put(scripts.putFiles, name, args);
      }
    },
    async putIndex({ commit, blob, prints, ...name }) {
      const all = [...new Set(prints)];
      const split = parts(all, callNames);
      const last = split.pop() ?? [];
      for (const some of split) await call(scripts.putIndex, name, [commit, '', -1, ...some]);
      const answer = await put(scripts.putIndex, name, [commit, blob, all.length, ...last]);
      return answer === 'ok' ? 'ok' : 'incomplete';
    },
    async files({ prints, ...name }) {
      return found(prints, fewFiles, (some) => call(scripts.files, name, some));
    },
    async space(name) {
      return text(await call(scripts.space, name)) || undefined;
    },
    async withoutVectors({ space, prints, ...name }) {
      const out: string[] = [];
      for (const some of parts(prints, callNames))
        out.push(...list(await call(scripts.withoutVectors, name, [space, ...some])).map(text));
      return out;
    },
    async putVectors({ space, files, ...name }) {
      for (const some of batches(files)) {
        const args = some.flatMap(({ print, bytes: packed }) => [print, toBase64(packed)]);
        await put(scripts.putVectors, name, [space, ...args], noRoomForVectors);
      }
    },
    async vectors({ space, prints, ...name }) {
      return found(prints, fewVectors, (some) => call(scripts.vectors, name, [space, ...some]));
    },
  };
}

function namesOf(keys: Keys, tenant: string, repository: string): { names: [string, string]; h: string } {
  const prefix = keys.prefix(keys.ofTenant(tenant));
  const h = bytesToHex(sha256(utf8ToBytes(repository)).subarray(0, 16));
  return { names: [`${prefix}repo:${tenant}:${h}`, `${prefix}repos:${tenant}`], h };
}

/** What `read` answers to some prints at a time, those that are there. */
async function found(
  prints: readonly string[],
  few: number,
  read: (some: readonly string[]) => Promise<Reply>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>();
  for (const some of parts(prints, few)) {
    if (some.length === 0) continue;
    for (const [i, packed] of list(await read(some)).entries()) {
      if (typeof packed === 'string') out.set(some[i] ?? '', fromBase64(packed));
    }
  }
  return out;
}

/** At least one, if only an empty one. */
function parts<T>(all: readonly T[], most: number): (readonly T[])[] {
  const out: (readonly T[])[] = [];
  for (let i = 0; i < Math.max(1, all.length); i += most) out.push(all.slice(i, i + most));
  return out;
}

function batches(files: readonly KeptFile[]): KeptFile[][] {
  const out: KeptFile[][] = [];
  let left = 0;
  for (const file of files) {
    if (file.bytes.length > left) {
      out.push([]);
      left = callBytes;
    }
    out.at(-1)?.push(file);
    left -= file.bytes.length;
  }
  return out;
}

function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}
