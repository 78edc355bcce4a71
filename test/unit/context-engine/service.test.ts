// The methods of the context engine through its door.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '#core/context/load-tokenizer.ts';
import { ContextMode } from '#proto/cortex/v1/context_pb.ts';
import { type EngineHere, engineHere } from '../../helpers/context/engine.ts';
import { long } from '../../helpers/long.ts';
import { createRandom } from '../../helpers/random.ts';

let engine: EngineHere;
beforeAll(() => {
  engine = engineHere();
});
afterAll(() => engine.close());

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const { CHAT, RAG, RAW } = ContextMode;
let made = 0;
const newMemory = (): string => `m${made++}`;
const say = (memoryId: string, prompt: string, answer: string, more: object = {}) =>
  engine.client.updateMemory({
    ...{ memoryId, mode: CHAT, logicalPayload: bytes({ prompt }), modelResponse: bytes(answer) },
    ...more,
  });
const build = (memoryId: string, prompt: string, more: object = {}) =>
  engine.client.buildWindow({ memoryId, mode: CHAT, model: 'gpt-4o', logicalPayload: bytes({ prompt }), ...more });
const said = ({ messages }: { messages: readonly { role: string; content: string }[] }): string[] =>
  messages.map(({ role, content }) => `${role}: ${content}`);

describe('BuildWindow', () => {
  test.each([
    ['plain text', 'plain text', 'plain text'],
    ['a list', '["a"]', '["a"]'],
    ['a prompt', { prompt: 'p', message: 'm' }, 'p'],
    ['a message', { prompt: ' ', message: 'm' }, 'm'],
    ['an instruction', { instruction: 'do', code_snippet: 'x=1' }, 'do\n\nCode:\nx=1'],
    ['an instruction alone', { instruction: 'do' }, 'do'],
    ['an object with none of these', { a: 1 }, '{"a":1}'],
  ])('%s is what is asked', async (_, payload, asked) => {
    const window = await engine.client.buildWindow({ logicalPayload: bytes(payload) });
    expect(said(window)).toEqual([`user: ${asked}`]);
    expect(window).toMatchObject({ outputTokens: 1024, limit: 8000, estimated: true });
    expect(window.inputTokens).toBeGreaterThan(0);
  });

  test('RAW has what is asked alone, CHAT what was said before as well', async () => {
    const memory = newMemory();
    await say(memory, 'My name is Ann.', 'Hello Ann.');
    expect(said(await build(memory, 'who am I?', { mode: RAW }))).toEqual(['user: who am I?']);
    expect(said(await build(memory, 'who am I?', { mode: ContextMode.UNSPECIFIED }))).toEqual(['user: who am I?']);
    const window = await build(memory, 'who am I?', { system: ['be brief'] });
    expect(said(window)).toEqual([
      'system: be brief',
      'user: My name is Ann.',
      'assistant: Hello Ann.',
      'user: who am I?',
    ]);
    expect(window.parts.map(({ kind }) => kind)).toEqual(['system', 'history', 'history', 'user']);
    const tokenizer = await loadTokenizer('gpt-4o');
    expect(window.inputTokens).toBe(tokenizer.prompt(window.messages as never));
  });

  test('what has no room in the history is recalled by what is asked', async () => {
    const memory = newMemory();
    await say(memory, 'The staging database listens on port 5433.', 'Noted.');
    for (let i = 0; i < 60; i++)
      await say(memory, `Tell me about topic ${i}, please.`, `Topic ${i} is long. `.repeat(20));
    const window = await build(memory, 'On which port does the staging database listen?', { maxInputTokens: 900 });
    expect(window.inputTokens).toBeLessThanOrEqual(900);
    expect(window.inputTokens).toBeGreaterThan(870);
    const piece = window.parts.find(({ source }) => source.startsWith('memory 0,'));
    expect(piece?.reason).toContain('staging');
    expect(window.messages.some(({ content }) => content.includes('5433'))).toBe(true);
    const last = window.parts.findLastIndex(({ kind }) => kind === 'history');
    expect(window.messages[last]?.content).toContain('Topic 59');
    // What went in once is not said twice.
    const history = window.parts.flatMap((part) => (part.kind === 'history' ? [part.index] : []));
    expect(window.parts.some(({ source }) => source.startsWith(`memory ${history[0]}-`))).toBe(false);
  });

  test('explains what was left out, and builds the same window again as of then', async () => {
    const memory = newMemory();
    for (let i = 0; i < 20; i++) await say(memory, `question ${i}`, `answer ${i} ${'word '.repeat(30)}`);
    const ask = { maxInputTokens: 300, explain: true };
    const window = await build(memory, 'question 3?', ask);
    expect(window.leftOut.filter(({ why }) => why === 'no_room').length).toBeGreaterThan(5);
    expect(window.leftOut.every(({ tokens }) => tokens > 0)).toBe(true);
    expect(window.next).toBe(40n);
    for (let i = 0; i < 5; i++) await say(memory, 'question 3 again', 'an answer about 3');
    expect(await build(memory, 'question 3?', { ...ask, before: window.next })).toEqual(window);
    expect(await build(memory, 'question 3?', ask)).not.toEqual(window);
  });

  test.each([
    ['max_input_tokens', { maxInputTokens: 5 }, 'out_of_range'],
    ['tenant_id', { tenantId: 'a b' }, 'invalid_argument'],
    ['memory_id', { memoryId: 'a\nb' }, 'invalid_argument'],
    ['mode', { mode: 9 }, 'invalid_argument'],
    ['reserve', { reserve: -1 }, 'invalid_argument'],
    ['before', { before: -1n }, 'invalid_argument'],
    ['history.0.role', { history: [{ role: 'tool', content: 'x' }] }, 'invalid_argument'],
    ['repository', { mode: RAG, repository: 'nowhere' }, 'not_found'],
    ['commit', { commit: '../x' }, 'invalid_argument'],
  ])('an error names %s', async (field, more, code) => {
    await expect(build('m', 'a question of more than five tokens', more)).rejects.toMatchObject({ code, field });
  });

  test('a negative budget is none, as in the original', async () => {
    const memory = newMemory();
    for (let i = 0; i < 30; i++) await say(memory, `q${i} ${'x'.repeat(2_000)}`, 'a');
    const window = await build(memory, 'q', { maxInputTokens: -1 });
    expect(window.messages).toHaveLength(61);
  });
});

describe('UpdateMemory', () => {
  test('RAW and no memory remember nothing, empty sayings are none, a key counts once', async () => {
    const memory = newMemory();
    await say(memory, 'raw', 'raw', { mode: RAW });
    await say('', 'nobody', 'nobody');
    await say(memory, 'a', '  ', { idempotencyKey: 'k' });
    await say(memory, 'b', 'c', { idempotencyKey: 'k' });
    expect(said(await build(memory, 'x'))).toEqual(['user: a', 'user: x']);
  });

  test('facts are kept whatever the mode, and stand in the window once asked for', async () => {
    const memory = newMemory();
    await say(memory, '', '', { mode: RAW, facts: ['Invoices go to Ann'] });
    const window = await build(memory, 'Who gets invoices?');
    expect(window.parts[0]).toMatchObject({ kind: 'piece', reason: 'a fact that was noted; says invoice' });
    expect(window.messages[0]?.content).toMatch(/^memory 0, \d{4}-\d\d-\d\d\nInvoices go to Ann$/);
    const { entries, facts } = await engine.client.readMemory({ memoryId: memory });
    expect(entries.map(({ role }) => role)).toEqual(['fact']);
    expect(facts.map(({ text, how }) => [text, how])).toEqual([['Invoices go to Ann', 'noted']]);
  });

  test('a hand-out that is not the current one is refused', async () => {
    const hold = { jobId: 'nobody', fence: '1', attempt: 'x' };
    await expect(say(newMemory(), 'a', 'b', { hold })).rejects.toMatchObject({ code: 'aborted', field: 'hold' });
  });

  test('a past that the memory has no more is refused, and not another one shown', async () => {
    const memory = newMemory();
    await say(memory, 'first', 'one');
    const { epoch, next } = await build(memory, 'x');
    expect(epoch).not.toBe('');
    expect(said(await build(memory, 'x', { before: 0n, epoch }))).toEqual(['user: x']);
    await engine.client.forgetMemory({ memoryId: memory });
    await say(memory, 'another', 'two');
    await expect(build(memory, 'x', { before: next, epoch })).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'before',
    });
  });

  test('forgotten is forgotten', async () => {
    const memory = newMemory();
    await say(memory, 'a', 'b');
    await build(memory, 'x');
    expect(await engine.client.forgetMemory({ memoryId: memory })).toMatchObject({ forgotten: true });
    expect(said(await build(memory, 'x'))).toEqual(['user: x']);
    await say(memory, 'c', 'd');
    expect(said(await build(memory, 'x'))).toEqual(['user: c', 'assistant: d', 'user: x']);
  });
});

describe('IngestRepo and what stands on it', () => {
  const first = {
    'src/lease.ts': `/** Keeps a lease alive. */\nexport class LeaseKeeper {\n  renew(now: number): boolean {\n    return now > 0;\n  }\n}\n`,
    'src/queue.ts': `export function enqueue(job: string): number {\n  return job.length;\n}\n`,
    'README.md': '# Demo\n\nA queue with leases.\n',
  };

  test('a window speaks of the repository, each piece with its lines, byte for byte', async () => {
    const memory = newMemory();
    const scanResult = await engine.scanOf(first);
    const ingested = await engine.client.ingestRepo({ memoryId: memory, scanResult });
    expect(ingested).toMatchObject({ files: 3, chunks: 3, changed: 3 });
    expect(ingested.commit).toMatch(/^tree-[0-9a-f]{40}$/);
    const window = await build(memory, 'Where is a lease renewed? LeaseKeeper', { mode: RAG });
    expect(window).toMatchObject({ repository: '/repo', commit: ingested.commit });
    const at = window.parts.findIndex(({ source }) => source === 'src/lease.ts');
    const { lines } = window.parts[at] ?? {};
    const all = first['src/lease.ts'].split('\n');
    const text = all.slice((lines?.first ?? 0) - 1, lines?.last).join('\n');
    expect(window.messages[at]?.content).toBe(`src/lease.ts:${lines?.first}-${lines?.last}\n${text}`);
    expect(window.parts[at]?.reason).toContain('leasekeeper');
    // Another mode of the same memory does not.
    expect((await build(memory, 'LeaseKeeper')).parts.some(({ source }) => source !== '')).toBe(false);
  });

  test('the next commit reads what has changed, and both are there', async () => {
    const memory = newMemory();
    const one = await engine.client.ingestRepo({
      ...{ memoryId: memory, repository: 'demo', commit: 'c1' },
      scanResult: await engine.scanOf(first),
    });
    const second = { ...first, 'src/queue.ts': 'export const drain = 1;\n', 'src/new.ts': 'export const fresh = 2;\n' };
    const two = await engine.client.ingestRepo({
      ...{ memoryId: memory, repository: 'demo', commit: 'c2' },
      scanResult: await engine.scanOf(second),
    });
    expect([one.changed, two.changed, two.files]).toEqual([3, 2, 4]);
    const search = async (query: string, commit = '') =>
      (await engine.client.searchRepo({ repository: 'demo', commit, query })).chunks.map(({ path }) => path);
    expect((await search('enqueue', 'c1'))[0]).toBe('src/queue.ts');
    expect(await search('fresh', 'c1')).toEqual([]);
    expect((await search('fresh'))[0]).toBe('src/new.ts');
    const [chunk] = (await engine.client.searchRepo({ repository: 'demo', query: 'drain' })).chunks;
    expect(chunk).toMatchObject({ text: 'export const drain = 1;', lines: { first: 1, last: 1 } });
    // As if it had been read at once.
    const fresh = engineHere();
    try {
      await fresh.client.ingestRepo({ repository: 'demo', commit: 'c2', scanResult: await fresh.scanOf(second) });
      const at = { tenant: 'default', repository: 'demo', commit: 'c2' };
      expect(await fresh.repos.index(at)).toEqual(await engine.repos.index(at));
    } finally {
      await fresh.close();
    }
  });

  test('a hold that is not the current one indexes nothing, with a memory or without', async () => {
    const scanResult = await engine.scanOf(first);
    const hold = { jobId: 'nobody', fence: '1', attempt: 'x' };
    for (const memoryId of ['', newMemory()]) {
      const stale = engine.client.ingestRepo({ memoryId, repository: 'stale', scanResult, hold });
      await expect(stale).rejects.toMatchObject({ code: 'aborted', field: 'hold' });
    }
    await expect(engine.client.searchRepo({ repository: 'stale', query: 'lease' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('an index of another version, or a damaged one, is no reason to say nothing; who names it is told', async () => {
    const memory = newMemory();
    await engine.client.ingestRepo({ memoryId: memory, repository: 'older', scanResult: await engine.scanOf(first) });
    await engine.memoryLog.bind({ tenant: 'default', memory, repository: 'older', commit: 'old', job: '' });
    for (const blob of [Uint8Array.of(0x43, 0x58, 0x52, 0x49, 1, 0, 0, 0, 0), Uint8Array.of(1, 2, 3)]) {
      await engine.repos.putIndex({ tenant: 'default', repository: 'older', commit: 'old', blob, prints: [] });
      expect(said(await build(memory, 'LeaseKeeper', { mode: RAG }))).toEqual(['user: LeaseKeeper']);
      const named = build('', 'LeaseKeeper', { mode: RAG, repository: 'older', commit: 'old' });
      await expect(named).rejects.toMatchObject({
        code: expect.stringMatching(/failed_precondition|data_loss/) as string,
      });
    }
  });

  test('files that are at hand need not be found', async () => {
    const memory = newMemory();
    await engine.client.ingestRepo({ memoryId: memory, scanResult: await engine.scanOf(first) });
    const window = await build(memory, 'LeaseKeeper', { mode: RAG, excludePaths: ['src/lease.ts'] });
    expect(window.parts.map(({ source }) => source)).not.toContain('src/lease.ts');
    expect(window.parts.length).toBeGreaterThan(1);
  });

  test('an empty scan does nothing, a broken one is named', async () => {
    const ingest = (scanResult: Uint8Array, more: object = {}) => engine.client.ingestRepo({ scanResult, ...more });
    expect(await ingest(bytes({ files: [] }))).toMatchObject({ files: 0 });
    for (const broken of ['{', '[]', { files: [{}], archive_ptr: 7 }, { files: [{}] }])
      await expect(ingest(bytes(broken), { repository: 'x' })).rejects.toMatchObject({ field: 'scan_result' });
    const scanResult = await engine.scanOf(first, { root: '' });
    await expect(ingest(scanResult)).rejects.toMatchObject({ code: 'invalid_argument', field: 'scan_result' });
    engine.archives.set('default redis://res:x-repo-archive-1', bytes('no archive at all'));
    const bad = bytes({ files: [{}], archive_ptr: 'redis://res:x-repo-archive-1', repo_root: 'x' });
    await expect(ingest(bad)).rejects.toMatchObject({ code: 'invalid_argument', field: 'archive_ptr' });
    // The next one is read all the same.
    expect(await ingest(await engine.scanOf(first))).toMatchObject({ files: 3 });
  });
});

test('random reads of other tenants and malformed names find nothing foreign', { timeout: 600_000 }, async () => {
  const random = createRandom(11);
  const tenants = ['alpha', 'beta', 'default'];
  const memories = ['chat', 'session:1', 'alpha:chat', 'repo:https://x/y#main'];
  for (const tenantId of tenants) {
    for (const memoryId of memories) {
      await say(memoryId, `My secret is ${tenantId}-secret.`, 'ok', { tenantId });
      const scanResult = await engine.scanOf(
        { 'a.ts': `export const secret = '${tenantId}-secret';\n` },
        { tenant: tenantId },
      );
      await engine.client.ingestRepo({ tenantId, memoryId, repository: 'shared', scanResult });
    }
  }
  const odd = [
    '',
    '*',
    'alpha',
    'alpha:',
    ':chat',
    'chat ',
    'CHAT',
    'a/../b',
    'x'.repeat(600),
    'chat\u0000',
    '\ud800',
    'chat*',
    '{alpha}',
  ];
  let answered = 0;
  for (let i = 0; i < (long ? 100_000 : 2_000); i++) {
    const tenantId = random.pick([...tenants, ...odd]) ?? '';
    const memoryId = random.pick([...memories, ...odd]) ?? '';
    const repository = random.pick(['', 'shared', ...odd]) ?? '';
    const own = tenantId === '' ? 'default' : tenantId;
    const call = random.pick([
      () => build(memoryId, 'what is my secret?', { tenantId, mode: RAG, repository }),
      () => engine.client.readMemory({ tenantId, memoryId }),
      () => engine.client.searchRepo({ tenantId, repository, query: 'secret' }),
    ]);
    const answer = await call?.().catch((error: unknown) => {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(invalid_argument|not_found)$/) as string });
    });
    if (answer === undefined) continue;
    answered++;
    const text = JSON.stringify(answer, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
    for (const other of tenants) if (other !== own) expect(text).not.toContain(`${other}-secret`);
  }
  expect(answered).toBeGreaterThan(200);
});

test('with a token it answers only who has it', async () => {
  const closed = engineHere({ token: 'a-token-of-many-letters' });
  try {
    await expect(closed.clientWith(undefined).readMemory({ memoryId: 'm' })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    expect((await closed.client.readMemory({ memoryId: 'm' })).entries).toEqual([]);
  } finally {
    await closed.close();
  }
});
