// The methods of cortex.v1.ContextEngine. The tenant that a request names is in every key that is read or written for it.
import { create } from '@bufbuild/protobuf';
import { CortexError, invalid } from '#core/errors.ts';
import type { LeftOut as LeftOutEntry, Part } from '#core/context/account.ts';
import { maxFactLength, maxSaid, type MemoryLog, type Saying } from '#core/context/memory/log.ts';
import { cutEntry } from '#core/context/memory/saying.ts';
import { chunkText } from '#core/context/repo/found-pieces.ts';
import { MAX_LIMIT, MAX_TEXT } from '#core/context/repo/search.ts';
import { userMessageOf } from '#core/context/user-message.ts';
import type { Routes } from '#core/http/connect.ts';
import { unwrap } from '#core/result.ts';
import {
  BuildWindowResponseSchema,
  ContextEngine,
  FoundChunkSchema,
  IngestRepoResponseSchema,
  type IngestRepoRequest,
  LeftOutSchema,
  LinesSchema,
  MemoryEntrySchema,
  MemoryFactSchema,
  ModelMessageSchema,
  ReadMemoryResponseSchema,
  SearchRepoResponseSchema,
  type UpdateMemoryRequest,
  WindowPartSchema,
} from '#proto/cortex/v1/context_pb.ts';
import type { ReadArchive } from './archive.ts';
import type { Meanings } from './meanings.ts';
import type { Memories } from './memories.ts';
import type { Repositories } from './repositories.ts';
import {
  commitOf,
  defaultOutputTokens,
  holdOf,
  memoryNamed,
  memoryOf,
  modeOf,
  repositoryOf,
  scanOf,
  tenantOf,
  windowRequestOf,
} from './requests.ts';
import { type BuildWindow, noRepository } from './windows.ts';

export interface ContextDeps {
  /** Of requests that name none. */
  readonly tenant: string;
  readonly log: MemoryLog;
  readonly memories: Memories;
  readonly repositories: Repositories;
  readonly meanings: Meanings;
  readonly buildWindow: BuildWindow;
  readonly readArchive: ReadArchive;
}

/** Entries that ReadMemory answers at once. */
const mostEntries = 1_000;
const mostFacts = 1_000;

/** The routes for every server mount. */
export function contextRoutes(deps: ContextDeps): Routes {
  const { log, memories, repositories, meanings } = deps;
  return (router) =>
    router.service(ContextEngine, {
      async buildWindow(message) {
        const request = windowRequestOf(message, tenantOf(message.tenantId, deps.tenant));
        const { window, next, epoch, repository } = await deps.buildWindow(request);
        return create(BuildWindowResponseSchema, {
          messages: window.messages.map(({ role, content }) => create(ModelMessageSchema, { role, content })),
          inputTokens: window.inputTokens,
          outputTokens: message.maxOutputTokens === 0 ? defaultOutputTokens : message.maxOutputTokens,
          estimated: window.estimated,
          limit: window.limit,
          parts: window.parts.map(partOf),
          leftOut: request.explain ? window.leftOut.map(leftOutOf) : [],
          next: BigInt(next),
          epoch,
          repository: repository?.repository ?? '',
          commit: repository?.commit ?? '',
        });
      },

      async updateMemory(message) {
        const tenant = tenantOf(message.tenantId, deps.tenant);
        const memory = memoryOf(message.memoryId);
        const said = saidOf(message);
        if (memory === '' || said.length === 0) return {};
        const held = holdOf(message.hold);
        const answer = await log.append({ tenant, memory, said, key: keyOf(message.idempotencyKey), ...held });
        if (answer === 'stale') throw stale();
        return {};
      },

      async ingestRepo(message) {
        const tenant = tenantOf(message.tenantId, deps.tenant);
        const memory = memoryOf(message.memoryId);
        const scan = scanOf(message.scanResult);
        if (scan === undefined) return create(IngestRepoResponseSchema);
        const repository = repositoryName(message, scan.root);
        const held = holdOf(message.hold);
        const check = async (): Promise<void> => {
          if (held.hold !== undefined && !(await log.holds({ tenant, ...held, hold: held.hold }))) throw stale();
        };
        await check();
        const name = { tenant, repository };
        const read = () => deps.readArchive(scan.archive, tenant);
        const ingested = await repositories.ingest(name, commitOf(message.commit), read, check);
        const { commit, files, chunks, changed, indexBytes } = ingested;
        if (memory !== '' && (await log.bind({ tenant, memory, repository, commit, ...held })) === 'stale')
          throw stale();
        meanings.want({ tenant, repository, commit });
        return create(IngestRepoResponseSchema, { commit, files, chunks, changed, indexBytes });
      },

      async searchRepo(message) {
        const tenant = tenantOf(message.tenantId, deps.tenant);
        const repository = repositoryOf(message.repository);
        const { query, paths, limit } = message;
        if (query.trim() === '') throw invalid('query', 'is empty');
        if (query.length > MAX_TEXT) throw invalid('query', `is longer than ${MAX_TEXT} characters`);
        if (limit < 0 || limit > MAX_LIMIT) throw invalid('limit', `must be at most ${MAX_LIMIT}`);
        const commit = commitOf(message.commit);
        const open = await repositories.open({ tenant, repository }, commit);
        if (open === undefined) throw noRepository(commit);
        const wanted = { text: query, limit: limit === 0 ? 20 : limit, ...(paths.length > 0 && { paths }) };
        const found = unwrap(open.search.search(await meanings.near(wanted, open)));
        const files = await repositories.files(open, found);
        return create(SearchRepoResponseSchema, {
          commit: open.commit,
          chunks: found.flatMap((chunk) => {
            const bytes = files.get(chunk.fingerprint);
            if (bytes === undefined) return [];
            const { path, score, reason, header } = chunk;
            const lines = create(LinesSchema, { first: chunk.from, last: chunk.to });
            return [create(FoundChunkSchema, { path, lines, score, reason, header, text: chunkText(bytes, chunk) })];
          }),
        });
      },

      async readMemory(message) {
        const tenant = tenantOf(message.tenantId, deps.tenant);
        const memory = memoryNamed(message.memoryId);
        if (message.from < 0n) throw invalid('from', 'must be 0 or more');
        const { recall, bound, next } = await memories.open({ tenant, memory });
        const left = recall.entries.filter(({ number }) => number < next && BigInt(number) >= message.from);
        const facts = recall.facts({ text: '', before: next, limit: mostFacts });
        return create(ReadMemoryResponseSchema, {
          entries: left.slice(0, mostEntries).map(({ number, role, content, ts, job }) => {
            return create(MemoryEntrySchema, { number: BigInt(number), role, content, ts: BigInt(ts), jobId: job });
          }),
          facts: facts
            .map(({ fact: { number, text, ts, job, how } }) => {
              return create(MemoryFactSchema, { number: BigInt(number), text, ts: BigInt(ts), jobId: job, how });
            })
            .toSorted((a, b) => Number(a.number - b.number)),
          repository: bound?.repository ?? '',
          commit: bound?.commit ?? '',
          more: left.length > mostEntries,
        });
      },

      async forgetMemory(message) {
        const tenant = tenantOf(message.tenantId, deps.tenant);
        return { forgotten: await log.forget({ tenant, memory: memoryNamed(message.memoryId) }) };
      },
    });
}

/** Facts as they stand, then the exchange, unless the mode is one that remembers nothing. */
function saidOf({ facts, mode, logicalPayload, modelResponse }: UpdateMemoryRequest): readonly Saying[] {
  if (facts.length > maxSaid - 2) throw invalid('facts', `are more than ${maxSaid - 2}`);
  const noted = facts.map((text, i): Saying => {
    if (text.trim() === '') throw invalid(`facts.${i}`, 'is empty');
    if (text.length > maxFactLength) throw invalid(`facts.${i}`, `is longer than ${maxFactLength} characters`);
    return { role: 'fact', content: text.trim() };
  });
  if (modeOf(mode) === 'raw') return noted;
  const user = userMessageOf(logicalPayload).text.trim();
  const assistant = new TextDecoder().decode(modelResponse).trim();
  const exchange: Saying[] = [
    { role: 'user', content: cutEntry(user) },
    { role: 'assistant', content: cutEntry(assistant) },
  ];
  return [...noted, ...exchange.filter(({ content }) => content !== '')];
}

function keyOf(key: string): string {
  if (key.length > 256 || !/^[\x21-\x7e]*$/.test(key))
    throw invalid('idempotency_key', 'must be at most 256 visible ASCII characters');
  return key;
}

function repositoryName({ repository, repoRoot }: IngestRepoRequest, root: string): string {
  const field = repository !== '' ? 'repository' : repoRoot !== '' ? 'repo_root' : 'scan_result';
  return repositoryOf(repository || repoRoot || root, field);
}

function stale(): CortexError {
  return new CortexError('aborted', 'hold: the hand-out is not the current one any more', { field: 'hold' });
}

/** What part and left-out share. */
function placeOf(place: Part | LeftOutEntry) {
  const { kind } = place;
  const index = 'index' in place ? place.index : 0;
  if (kind !== 'piece') return { kind, index };
  const { source, lines, score, reason } = place;
  return { kind, index, source, score, reason, ...(lines !== undefined && { lines: create(LinesSchema, lines) }) };
}

function partOf(part: Part) {
  return create(WindowPartSchema, { ...placeOf(part), tokens: part.tokens, cut: part.cut ?? '' });
}

function leftOutOf(one: LeftOutEntry) {
  return create(LeftOutSchema, { ...placeOf(one), why: one.why, tokens: one.tokens ?? 0 });
}
