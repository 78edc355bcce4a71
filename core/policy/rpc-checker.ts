// The checker that asks a safety kernel over Connect. What is asked in one turn of the event loop goes in one call, because a call
// costs more CPU than all the rest of a job's path. It remembers no verdict and opens no circuit: the caller waits and asks again.
import { coalesce } from '#core/coalesce.ts';
import { CortexError } from '#core/errors.ts';
import { createRpcClient, type RpcClientOptions } from '#core/http/connect.ts';
import type { PolicyVersion } from '#core/jobs/job.ts';
import type { Clock } from '#core/system.ts';
import { type PolicyCheckRequest, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import type { Checker, CheckInput, Verdict } from './checker.ts';
import { checkRequest, verdictOf, versionOf } from './wire.ts';

export interface RpcCheckerOptions extends Pick<RpcClientOptions, 'baseUrl' | 'fetch' | 'token'> {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Deadline of one call, ms. Default 2,000. */
  readonly timeoutMs?: number;
  /** Jobs in one call at most. Default 256. */
  readonly maxBatch?: number;
}

/** Bytes of requests in one call at most, well below what a kernel takes; a larger single request goes alone. */
const maxBatchBytes = 2 * 1024 * 1024;
/** Calls under way at once towards a kernel that judges one job per call. */
const maxSingles = 16;
/** How long a kernel that does not know CheckMany is asked job by job before it is tried again, ms. */
const foreignMs = 30_000;

/** A checker for the kernel at `baseUrl`. Also serves kernels that know `Check` alone, one call per job. */
export function createRpcChecker({ clock, timeoutMs = 2_000, maxBatch = 256, ...rpc }: RpcCheckerOptions): Checker {
  const client = createRpcClient(SafetyKernel, { ...rpc, timeoutMs });
  let foreignUntil = -Infinity;

  /** By CheckMany, or by `otherwise` at a kernel that does not know it. */
  const many = async <T>(ask: () => Promise<T>, otherwise: () => Promise<T>): Promise<T> => {
    if (clock.monotonic() < foreignUntil) return otherwise();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CortexError) || error.code !== 'unimplemented') throw error;
      foreignUntil = clock.monotonic() + foreignMs;
      return otherwise();
    }
  };
  const judge = (checks: PolicyCheckRequest[]): Promise<Verdict[]> =>
    many(
      async () => {
        const { results, policySnapshot } = await client.checkMany({ checks });
        if (results.length !== checks.length) {
          throw new CortexError('unavailable', `${results.length} answers for ${checks.length} jobs`);
        }
        const version = versionOf(policySnapshot);
        return results.map((result) => verdictOf(result, version));
      },
      () => eachOf(checks, maxSingles, async (check) => verdictOf(await client.check(check), undefined)),
    );
  /** The version alone. A kernel that knows Check alone is asked about nothing, for the snapshot in its answer. */
  const version = (): Promise<PolicyVersion> =>
    many(
      async () => versionOf((await client.checkMany({})).policySnapshot),
      async () => versionOf((await client.check({})).policySnapshot),
    );
  const ask = coalesce(
    async (inputs: CheckInput[]): Promise<Verdict[]> => {
      const calls = split(inputs).map((part) => judge(part.map(checkRequest)));
      return (await Promise.all(calls)).flat();
    },
    { max: maxBatch },
  );

  return {
    async check(inputs) {
      try {
        if (inputs.length === 0) return { policy: await version(), verdicts: [] };
        const verdicts = await Promise.all(inputs.map(ask));
        return { policy: newest(verdicts), verdicts };
      } catch (error) {
        throw undecided(error, rpc.baseUrl);
      }
    },
  };
}

/** Parts in order, each within the limit of bytes. */
function split(inputs: readonly CheckInput[]): CheckInput[][] {
  const parts: CheckInput[][] = [];
  let bytes = Infinity;
  for (const input of inputs) {
    bytes += input.bytes;
    if (bytes > maxBatchBytes) {
      parts.push([]);
      bytes = input.bytes;
    }
    parts.at(-1)?.push(input);
  }
  return parts;
}

/** The answers in order, with `limit` calls under way at once. The first failure starts no more. */
async function eachOf<I, O>(items: readonly I[], limit: number, run: (item: I) => Promise<O>): Promise<O[]> {
  const answers = new Map<number, O>();
  const entries = items.entries();
  let failed = false;
  const lane = async (): Promise<void> => {
    for (const [i, item] of entries) {
      if (failed) return;
      try {
        answers.set(i, await run(item));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
  return items.map((_, i) => answers.get(i) as O);
}

/** A batch of several calls may have met a change of policy: the later version is the one in force. */
function newest(verdicts: readonly Verdict[]): PolicyVersion {
  return verdicts.map((v) => v.policy).reduce((a, b) => (b.sequence > a.sequence ? b : a));
}

/** Every failure says that nothing is decided: `failed_precondition` when a person must mend something, else `unavailable`. */
function undecided(error: unknown, baseUrl: string): unknown {
  if (!(error instanceof CortexError)) return error;
  switch (error.code) {
    case 'failed_precondition':
    case 'data_loss':
      return error;
    case 'unauthenticated':
    case 'permission_denied':
      return new CortexError('failed_precondition', 'the safety kernel refuses our SAFETY_KERNEL_TOKEN', {
        cause: error,
      });
    case 'unimplemented':
      return new CortexError('failed_precondition', `there is no safety kernel at ${baseUrl}`, { cause: error });
    default:
      return new CortexError('unavailable', `the safety kernel does not answer: ${error.message}`, { cause: error });
  }
}
