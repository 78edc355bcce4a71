// The context engine's part of fixtures.ts: each of its messages with every field, as JSON.
import type { DescMessage, JsonObject } from '@bufbuild/protobuf';
import * as context from '#proto/cortex/v1/context_pb.ts';

const said = { role: 'assistant', content: 'Hi' };
const lines = { first: 3, last: 9 };
const hold = { job_id: 'job-1', fence: '1800000000000', attempt: 'a1b2' };
const place = { index: 2, source: 'src/a.ts', lines, score: 0.5, reason: 'text has lease' };
const part = { kind: 'piece', tokens: 40, cut: 'line', ...place };
const leftOut = { kind: 'piece', tokens: 40, why: 'no_room', ...place };
const chunk = { path: 'src/a.ts', lines, score: 1.5, reason: 'defines lease', header: 'src/a.ts:3-9', text: 'x' };
const entry = { number: '7', role: 'user', content: 'My dog is Rex.', ts: '1800000000', job_id: 'job-1' };
const fact = { number: '7', text: 'My dog is Rex.', ts: '1800000000', job_id: 'job-1', how: 'said' };

export const contextFixtures: readonly (readonly [DescMessage, readonly JsonObject[]])[] = [
  [context.ModelMessageSchema, [said]],
  [context.HoldSchema, [hold]],
  [context.LinesSchema, [lines]],
  [context.WindowPartSchema, [part]],
  [context.LeftOutSchema, [leftOut]],
  [
    context.BuildWindowRequestSchema,
    [
      {
        memory_id: 'session:1',
        mode: 'CONTEXT_MODE_RAG',
        model: 'code',
        logical_payload: 'eyJwcm9tcHQiOiJIaSJ9',
        max_input_tokens: -1,
        max_output_tokens: 1024,
        tenant_id: 'acme',
        system: ['be brief', 'be right'],
        explain: true,
        reserve: 200,
        before: '12',
        repository: 'https://example.org/a',
        commit: 'c1',
        exclude_paths: ['src/a.ts'],
        history: [said],
        epoch: '1800000000000-1',
        no_repository: true,
      },
    ],
  ],
  [
    context.BuildWindowResponseSchema,
    [
      {
        messages: [said, { role: 'system' }],
        input_tokens: 5,
        output_tokens: 1024,
        estimated: true,
        limit: 8000,
        parts: [part],
        left_out: [leftOut],
        next: '12',
        repository: 'https://example.org/a',
        commit: 'c1',
        epoch: '1800000000000-1',
      },
    ],
  ],
  [
    context.UpdateMemoryRequestSchema,
    [
      {
        memory_id: 'session:1',
        logical_payload: 'e30=',
        model_response: 'SGk=',
        mode: 'CONTEXT_MODE_CHAT',
        tenant_id: 'acme',
        idempotency_key: 'k',
        facts: ['Invoices go to Ann'],
        hold,
      },
    ],
  ],
  [context.UpdateMemoryResponseSchema, [{}]],
  [
    context.IngestRepoRequestSchema,
    [
      {
        memory_id: 'repo:1',
        repo_root: '/work',
        scan_result: 'e30=',
        tenant_id: 'acme',
        repository: 'https://example.org/a',
        commit: 'c1',
        hold,
      },
    ],
  ],
  [context.IngestRepoResponseSchema, [{ commit: 'c1', files: 3, chunks: 9, changed: 1, index_bytes: 4096 }]],
  [
    context.SearchRepoRequestSchema,
    [{ tenant_id: 'acme', repository: 'a', commit: 'c1', query: 'lease', limit: 5, paths: ['src/'] }],
  ],
  [context.FoundChunkSchema, [chunk]],
  [context.SearchRepoResponseSchema, [{ chunks: [chunk], commit: 'c1' }]],
  [context.ReadMemoryRequestSchema, [{ memory_id: 'session:1', tenant_id: 'acme', from: '3' }]],
  [context.MemoryEntrySchema, [entry]],
  [context.MemoryFactSchema, [fact]],
  [context.ReadMemoryResponseSchema, [{ entries: [entry], facts: [fact], repository: 'a', commit: 'c1', more: true }]],
  [context.ForgetMemoryRequestSchema, [{ memory_id: 'session:1', tenant_id: 'acme' }]],
  [context.ForgetMemoryResponseSchema, [{ forgotten: true }]],
];
