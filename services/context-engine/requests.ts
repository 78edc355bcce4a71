// Requests as they come over the wire, checked: what is wrong is an error that names the field.
import { z } from 'zod';
import { memoryNameProblem } from '#core/context/memory/names.ts';
import { invalid } from '#core/errors.ts';
import type { Fence } from '#core/jobs/job.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { unwrap } from '#core/result.ts';
import type { ModelMessage } from '#core/model/model.ts';
import { ContextMode, type BuildWindowRequest, type Hold } from '#proto/cortex/v1/context_pb.ts';
import { userMessageOf } from '#core/context/user-message.ts';
import type { ContextMode as Mode } from '#core/context/engine.ts';
import type { WindowRequest } from './windows.ts';

/** Of the original. */
const defaultInputTokens = 8_000;
export const defaultOutputTokens = 1_024;
/** What a window without a bound has. */
const mostTokens = 2 ** 31 - 1;
const mostMessages = 2_000;

/** Whose it is; `fallback` where nobody says. */
export function tenantOf(tenant: string, fallback: string): string {
  if (tenant === '') return fallback;
  if (tenant.length > 128 || !isSubjectToken(tenant)) throw invalid('tenant_id', 'is not the name of a tenant');
  return tenant;
}

/** A memory's name; empty: none. */
export function memoryOf(memory: string): string {
  const wrong = memoryNameProblem(memory, 'memory_id');
  if (wrong !== undefined) throw wrong;
  return memory;
}

export function memoryNamed(memory: string): string {
  if (memory === '') throw invalid('memory_id', 'is empty');
  return memoryOf(memory);
}

export function repositoryOf(repository: string, field = 'repository'): string {
  if (repository === '') throw invalid(field, 'is empty');
  return lineOf(repository, field, 2_048);
}

/** undefined: none was named. */
export function commitOf(commit: string): string | undefined {
  if (commit === '') return undefined;
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(commit)) throw invalid('commit', 'must be letters, digits, ".", "_" and "-"');
  return commit;
}

export interface JobHold {
  readonly job: string;
  readonly hold: Fence | undefined;
}

export function holdOf(hold: Hold | undefined): JobHold {
  if (hold === undefined) return { job: '', hold: undefined };
  const { jobId, fence, attempt } = hold;
  if (!/^[A-Za-z0-9._-]{1,256}$/.test(jobId)) throw invalid('hold.job_id', 'is not the id of a job');
  if (!/^\d{1,16}$/.test(fence)) throw invalid('hold.fence', 'is not a fence');
  if (attempt === '' || attempt.length > 128) throw invalid('hold.attempt', 'is not an attempt');
  return { job: jobId, hold: { fence, attempt } };
}

export function modeOf(mode: ContextMode): Mode {
  switch (mode) {
    case ContextMode.UNSPECIFIED:
    case ContextMode.RAW:
      return 'raw';
    case ContextMode.CHAT:
      return 'chat';
    case ContextMode.RAG:
      return 'rag';
    default:
      throw invalid('mode', 'is none that there is');
  }
}

export function windowRequestOf(message: BuildWindowRequest, tenant: string): WindowRequest {
  const { maxInputTokens, before } = message;
  if (message.history.length > mostMessages) throw invalid('history', `has more than ${mostMessages} messages`);
  if (before < 0n || before > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('before', 'must be 0 or more');
  if (message.reserve < 0) throw invalid('reserve', 'must be 0 or more');
  if (message.maxOutputTokens < 0) throw invalid('max_output_tokens', 'must be 0 or more');
  if (message.excludePaths.length > 1_000) throw invalid('exclude_paths', 'are more than 1000');
  return {
    tenant,
    memory: memoryOf(message.memoryId),
    mode: modeOf(message.mode),
    model: lineOf(message.model, 'model', 256),
    asked: userMessageOf(message.logicalPayload),
    system: message.system,
    history: message.history.map((said, i): ModelMessage => {
      const { role, content } = said;
      if (role === 'user' || role === 'assistant' || role === 'system') return { role, content };
      throw invalid(`history.${i}.role`, 'must be system, user or assistant');
    }),
    maxInputTokens: maxInputTokens === 0 ? defaultInputTokens : maxInputTokens < 0 ? mostTokens : maxInputTokens,
    reserve: message.reserve,
    explain: message.explain,
    before: before === 0n && message.epoch === '' ? undefined : Number(before),
    epoch: lineOf(message.epoch, 'epoch', 128),
    withoutRepository: message.noRepository,
    repository: message.repository === '' ? undefined : repositoryOf(message.repository),
    commit: commitOf(message.commit),
    excludePaths: message.excludePaths,
  };
}

const scan = z.object({
  repo_root: z.string().default(''),
  files: z.array(z.unknown()).nullish(),
  archive_ptr: z.string().default(''),
});

/** What of a scan's result matters; undefined: it found no files. */
export function scanOf(bytes: Uint8Array): { readonly root: string; readonly archive: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw invalid('scan_result', 'is not JSON');
  }
  const parsed = parsePayload(scan, value, 'scan_result');
  const { repo_root, files, archive_ptr } = unwrap(
    parsed.ok ? parsed : { ok: false, error: invalid('scan_result', parsed.error.message) },
  );
  if (files === undefined || files === null || files.length === 0) return undefined;
  if (archive_ptr === '')
    throw invalid('scan_result', 'has no archive_ptr: without an archive there is nothing to read');
  return { root: repo_root, archive: archive_ptr };
}

function lineOf(text: string, field: string, most: number): string {
  if (text.length > most) throw invalid(field, `is longer than ${most} characters`);
  if (/\p{Cc}/u.test(text)) throw invalid(field, 'has control characters');
  if (!text.isWellFormed()) throw invalid(field, 'is not well formed');
  return text;
}
