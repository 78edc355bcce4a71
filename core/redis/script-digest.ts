// What a server knows a script by. The same for every driver, in every runtime.
import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Script } from './redis.ts';

const digests = new WeakMap<Script, string>();

/** The SHA-1 of a script's source, in hex; computed once. */
export function scriptDigest(script: Script): string {
  let digest = digests.get(script);
  if (digest === undefined) {
    digest = bytesToHex(sha1(utf8ToBytes(script.source)));
    digests.set(script, digest);
  }
  return digest;
}
