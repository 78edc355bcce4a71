// stage: a payload that is too large to come along with its job is written before it, piece by piece, under a name of its own that no
// job has. create takes it over; one that nobody takes ends by itself.
import { script } from '#core/redis/redis.ts';

/** How long a staged payload waits for its next piece, and then for its job, ms. */
export const stagedMs = 60_000;

// KEYS[1]: stage:<name>. ARGV: bytes before this piece, the piece, ms. Answers the bytes that are there then: others than the caller
// counts mean that what was written before has gone.
export const stage = script(
  'stage',
  /* lua */ `
local n=redis.call('STRLEN',KEYS[1])
if n~=tonumber(ARGV[1]) then return n end
n=redis.call('APPEND',KEYS[1],ARGV[2])
redis.call('PEXPIRE',KEYS[1],ARGV[3])
return n`,
);
