// The context engine over Connect.
import { CortexError } from '#core/errors.ts';
import { createRpcClient, type RpcClientOptions } from '#core/http/connect.ts';
import type { ModelMessage } from '#core/model/model.ts';
import { ContextEngine, ContextMode as WireMode, type WindowPart } from '#proto/cortex/v1/context_pb.ts';
import type { ContextMode, Engine, WindowSource } from './engine.ts';

/** Deadlines, ms: a window is built in milliseconds, once a large index has been read in a second or two. */
const windowMs = 30_000;
const ingestMs = 300_000;

const modes: Readonly<Record<ContextMode, WireMode>> = { raw: WireMode.RAW, chat: WireMode.CHAT, rag: WireMode.RAG };

/** The engine at `baseUrl`. */
export function createRpcEngine(options: Pick<RpcClientOptions, 'baseUrl' | 'fetch' | 'token'>): Engine {
  const client = createRpcClient(ContextEngine, options);
  const encoder = new TextEncoder();
  const reached = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof CortexError) || error.code !== 'unavailable') throw error;
      const problem = `the context engine at ${options.baseUrl} cannot be reached (CONTEXT_ENGINE_ADDR)`;
      throw new CortexError('unavailable', problem, { cause: error });
    }
  };
  return {
    async window({ tenant, memory, mode, prompt, system, history, ...wanted }, signal) {
      const asked = client.buildWindow(
        {
          ...{ tenantId: tenant, memoryId: memory, mode: modes[mode], model: wanted.model, system: [...system] },
          logicalPayload: encoder.encode(JSON.stringify({ prompt })),
          history: history.map(({ role, content }) => ({ role, content })),
          maxInputTokens: wanted.maxInputTokens,
          excludePaths: [...wanted.excludePaths],
        },
        { signal, timeoutMs: windowMs },
      );
      const { messages, parts, inputTokens, limit, estimated, next, repository, commit, epoch } = await reached(asked);
      return {
        ...{ inputTokens, limit, estimated, next: Number(next), repository, commit, epoch },
        messages: messages.map(({ role, content }) => messageOf(role, content)),
        sources: parts.flatMap(sourceOf),
      };
    },
    async ingest({ tenant, memory, repository, scan, job, hold }, signal) {
      const asked = client.ingestRepo(
        {
          ...{ tenantId: tenant, memoryId: memory, repository, hold: { jobId: job, ...hold } },
          scanResult: encoder.encode(JSON.stringify({ ...scan, files: scan.files.slice(0, 1) })),
        },
        { signal, timeoutMs: ingestMs },
      );
      const { commit, files, chunks } = await reached(asked);
      return { commit, files, chunks };
    },
  };
}

function messageOf(role: string, content: string): ModelMessage {
  if (role === 'system' || role === 'user' || role === 'assistant') return { role, content };
  throw new CortexError('internal', `the context engine answered a message of ${role}`);
}

function sourceOf({ kind, source, lines, score, reason, tokens }: WindowPart, message: number): WindowSource[] {
  if (kind !== 'piece') return [];
  const place = lines === undefined ? {} : { lines: { first: lines.first, last: lines.last } };
  return [{ message, source, ...place, score, reason, tokens }];
}
