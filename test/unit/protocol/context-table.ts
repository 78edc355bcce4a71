// The context engine's part of contract-table.ts: numbers up to the original's last, and additions behind them.
const own = 'cortex.v1.';

const place = `kind 1, index 2 int32`;

export const contextMessages: Readonly<Record<string, string>> = {
  [`${own}ModelMessage`]: 'role 1, content 2',
  [`${own}BuildWindowRequest`]: `memory_id 1, mode 2 ${own}ContextMode, model 3, logical_payload 4 bytes, max_input_tokens 5 int32,
    max_output_tokens 6 int32, tenant_id 7, system 8 string[], explain 9 bool, reserve 10 int32, before 11 int64, repository 12,
    commit 13, exclude_paths 14 string[], history 15 ${own}ModelMessage[], epoch 16, no_repository 17 bool`,
  [`${own}BuildWindowResponse`]: `messages 1 ${own}ModelMessage[], input_tokens 2 int32, output_tokens 3 int32, estimated 4 bool,
    limit 5 int32, parts 6 ${own}WindowPart[], left_out 7 ${own}LeftOut[], next 8 int64, repository 9, commit 10, epoch 11`,
  [`${own}WindowPart`]: `${place}, tokens 3 int32, cut 4, source 5, lines 6 ${own}Lines, score 7 double, reason 8`,
  [`${own}LeftOut`]: `${place}, why 3, tokens 4 int32, source 5, lines 6 ${own}Lines, score 7 double, reason 8`,
  [`${own}Lines`]: 'first 1 int32, last 2 int32',
  [`${own}Hold`]: 'job_id 1, fence 2, attempt 3',
  [`${own}UpdateMemoryRequest`]: `memory_id 1, logical_payload 2 bytes, model_response 3 bytes, mode 4 ${own}ContextMode, tenant_id 5,
    idempotency_key 6, facts 7 string[], hold 8 ${own}Hold`,
  [`${own}UpdateMemoryResponse`]: '',
  [`${own}IngestRepoRequest`]: `memory_id 1, repo_root 2, scan_result 3 bytes, tenant_id 4, repository 5, commit 6, hold 7 ${own}Hold`,
  [`${own}IngestRepoResponse`]: 'commit 1, files 2 int32, chunks 3 int32, changed 4 int32, index_bytes 5 int32',
  [`${own}SearchRepoRequest`]: 'tenant_id 1, repository 2, commit 3, query 4, limit 5 int32, paths 6 string[]',
  [`${own}SearchRepoResponse`]: `chunks 1 ${own}FoundChunk[], commit 2`,
  [`${own}FoundChunk`]: `path 1, lines 2 ${own}Lines, score 3 double, reason 4, header 5, text 6`,
  [`${own}ReadMemoryRequest`]: 'memory_id 1, tenant_id 2, from 3 int64',
  [`${own}ReadMemoryResponse`]: `entries 1 ${own}MemoryEntry[], facts 2 ${own}MemoryFact[], repository 3, commit 4, more 5 bool`,
  [`${own}MemoryEntry`]: 'number 1 int64, role 2, content 3, ts 4 int64, job_id 5',
  [`${own}MemoryFact`]: 'number 1 int64, text 2, ts 3 int64, job_id 4, how 5',
  [`${own}ForgetMemoryRequest`]: 'memory_id 1, tenant_id 2',
  [`${own}ForgetMemoryResponse`]: 'forgotten 1 bool',
};

export const contextMethods: Readonly<Record<string, string>> = Object.fromEntries(
  ['BuildWindow', 'UpdateMemory', 'IngestRepo', 'SearchRepo', 'ReadMemory', 'ForgetMemory'].map((name) => [
    `/${own}ContextEngine/${name}`,
    `${own}${name}Request ${own}${name}Response`,
  ]),
);
