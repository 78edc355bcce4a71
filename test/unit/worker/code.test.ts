// job.code.llm: what the model is asked, how its answer becomes a patch that applies, and what a failure says. Hostile answers have a
// table of their own (code-attacks.test.ts), broken diffs a property (code-property.test.ts).
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { CortexError, isRetryable } from '#core/errors.ts';
import { fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import { unwrap } from '#core/result.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { type PolicyConstraints, PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import { codeLlm } from '../../../services/worker/code/code.ts';
import { demands, refusal } from '../../../services/worker/constraints.ts';
import type { JobContext } from '../../../services/worker/define.ts';
import { applied, codeRig, diffBetween, submits } from '../../helpers/workers/code.ts';
import { noEngine } from '../../helpers/context/no-engine.ts';
import { jobContext } from '../../helpers/workers/context.ts';

const path = 'src/a.ts';
const code = 'one\ntwo\nthree\nfour\n';
const wanted = 'one\nTWO\nthree\nfour\n';
const job = { file_path: path, code_snippet: code, instruction: 'shout' };
const diff = diffBetween(path, code, wanted);
const patchOf = (text = diff) => ({ patch: { type: 'unified_diff', content: text } });
const useless = says('I would rather not.');

describe('an answer', () => {
  test('by the tool becomes the patch, with what the model says about the code', async () => {
    const { model, run } = codeRig();
    const analysis = [{ severity: 'HIGH', description: ' too quiet ' }, { severity: 'odd', description: 'x' }, 7];
    model.play(submits({ diff, summary: 'Louder.', analysis }));
    expect(await run({ ...job, prompt: 'something else', batch: 3 })).toEqual({
      ...{ file_path: path, original_code: code, instruction: 'shout' },
      ...patchOf(),
      ...{ model: 'memory', finish: 'tool_calls', usage: { input_tokens: 3, output_tokens: 2, cost: 0.5 } },
      ...{ repaired: false, summary: 'Louder.', analysis: [{ severity: 'high', description: 'too quiet' }] },
    });
    expect(applied(path, code, diff)).toBe(wanted);
    const [request] = model.requests;
    expect(request?.tools).toMatchObject([{ name: 'submit_patch', input: { type: 'object' } }]);
    const asked = JSON.stringify(request?.messages);
    expect(asked).toContain('shout');
    expect(asked).toContain(JSON.stringify(code).slice(1, -1));
    expect(asked).not.toContain('something else');
  });

  test.each<[string, string]>([
    ['a fenced diff with words around it', `Sure!\n\n\`\`\`diff\n${diff}\`\`\`\nThat makes it loud.`],
    ['a bare diff', diff],
    ['a bare diff after words', `Here is the patch:\n\n${diff}`],
    ['JSON', JSON.stringify({ diff })],
    ['JSON in a fence', `\`\`\`json\n${JSON.stringify({ patch: { type: 'unified_diff', content: diff } })}\n\`\`\``],
    ['a call that is written as a text', JSON.stringify({ name: 'submit_patch', arguments: { diff } })],
    ['the whole file in a fence', `\`\`\`ts\n${wanted}\`\`\``],
    ['the whole file without one', wanted],
    [
      'a diff with wrong counts',
      `\`\`\`diff\n--- a/${path}\n+++ b/${path}\n@@ -1,9 +7,1 @@\n one\n-two\n+TWO\n three\n\`\`\``,
    ],
    ['hunks without any head or number', '```\n@@\n one\n-two\n+TWO\n```'],
    ['a head and no hunk header', `--- a/${path}\n+++ b/${path}\n one\n-two\n+TWO\n`],
    ['another dialect', `*** Begin Patch\n*** Update File: ${path}\n@@\n one\n-two\n+TWO\n*** End Patch`],
  ])('as %s means the same', async (_name, text) => {
    const { model, run } = codeRig();
    model.play(says(text));
    expect(await run(job)).toMatchObject({ ...patchOf(), repaired: false, finish: 'stop' });
  });

  test.each<[string, unknown]>([
    ['the whole file', { content: wanted }],
    ['the whole file without its last newline', { content: wanted.trimEnd() }],
    ['a diff in a fence', { diff: `\`\`\`diff\n${diff}\n\`\`\`` }],
    ['a diff as JSON in a string', JSON.stringify({ diff })],
    ['a patch object', { patch: { type: 'unified_diff', content: diff } }],
  ])('by the tool as %s means the same', async (_name, input) => {
    const { model, run } = codeRig();
    model.play(submits(input));
    expect(await run(job)).toMatchObject(patchOf());
  });

  test('that is JSON for a file of JSON is the file, not a proposal', async () => {
    const { model, run } = codeRig();
    const page = '{\n  "summary": "About us",\n  "content": "Hello"\n}\n';
    model.play(says(`\`\`\`json\n${page}\`\`\``));
    const { patch } = await run({ ...job, file_path: 'page.json', code_snippet: '' });
    expect(applied('page.json', '', patch.content)).toBe(page);
  });

  test('of no use is shown to the model once, with the reason, and the usage is that of both', async () => {
    const { model, run } = codeRig();
    const wrong = diff.replace('-two', '-deux');
    model.play(submits({ diff: wrong }), submits({ diff }));
    expect(await run(job)).toMatchObject({ ...patchOf(), repaired: true, usage: { input_tokens: 6, cost: 1 } });
    const [, ...said] = model.requests[1]?.messages ?? [];
    expect(said).toMatchObject([
      { role: 'user' },
      { role: 'assistant', toolCalls: [{ id: 'call-1', input: { diff: wrong } }] },
      { role: 'tool', callId: 'call-1', content: expect.stringContaining('"deux" is no line of the file') as unknown },
    ]);
  });

  test('of no use in words is answered in words', async () => {
    const { model, run } = codeRig();
    model.play(useless, says(diff));
    expect(await run(job)).toMatchObject({ repaired: true });
    expect(model.requests[1]?.messages.slice(-2)).toMatchObject([
      { role: 'assistant', content: 'I would rather not.' },
      { role: 'user', content: expect.stringContaining('there is no patch in the answer') as unknown },
    ]);
  });

  test('of no use twice is a failure with the reason in one line, and no other attempt', async () => {
    const { model, run } = codeRig();
    model.play(useless, submits({ diff: diff.replace('+TWO', '+two') }));
    const error: unknown = await run(job).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'internal',
      message: 'model memory gave no patch that can be used, twice: it changes nothing',
    });
    expect(isRetryable(error)).toBe(false);
    expect(model.requests).toHaveLength(2);
  });

  test('that is cut off at its bound is not half a patch', async () => {
    const { model, run } = codeRig();
    const cut = {
      parts: says(diff).parts.map((part) => (part.type === 'end' ? { ...part, finish: 'length' as const } : part)),
    };
    model.play(cut, cut);
    await expect(run(job)).rejects.toThrow('the answer reached its bound of tokens');
  });
});

describe('a model', () => {
  test('without tools is asked in words, then and in the repair', async () => {
    const { model, run } = codeRig();
    const refusal = new ModelError('invalid_argument', 'model memory answered 400: does not support tools');
    model.play(fails(refusal), useless, says(`\`\`\`diff\n${diff}\`\`\``));
    expect(await run(job)).toMatchObject({ ...patchOf(), repaired: true });
    expect(model.requests.map(({ tools }) => tools?.length)).toEqual([1, undefined, undefined]);
    expect(model.requests[1]?.messages.at(-1)?.content).toContain('```diff');
  });

  test('that fails is a failure with its own code', async () => {
    const { model, run } = codeRig();
    const error = new ModelError('unavailable', 'model memory answered 500');
    model.play(fails(error), useless, fails(error));
    await expect(run(job)).rejects.toBe(error);
    await expect(run(job)).rejects.toBe(error);
  });

  test.each([
    ['that is not its protocol', fails(new ModelError('internal', 'model memory answered what is not its protocol'))],
    ['that says nothing', says('')],
  ])('with an answer %s gets to mend it once', async (_name, turn) => {
    const { model, run } = codeRig();
    model.play(turn, submits({ diff }), turn, turn);
    expect(await run(job)).toMatchObject({ ...patchOf(), repaired: true });
    expect(model.requests[1]?.messages.at(-1)?.content).toMatch(/cannot be used: model memory answered/);
    await expect(run(job)).rejects.toMatchObject({ code: 'internal' });
    expect(model.requests).toHaveLength(4);
  });

  test('that is not there is a failure that says what to set, and no other attempt', () => {
    const { run, parallel } = codeLlm(undefined, noEngine);
    if (!('here' in run)) throw new Error('it runs here');
    let error: unknown;
    try {
      run.here(job, jobContext());
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^[^\n]*OLLAMA_MODEL.*MODELS_PATH/) as unknown,
    });
    expect(isRetryable(error)).toBe(false);
    expect(parallel).toBe(2);
  });

  test('gets the bound of the request and the signal of the attempt', async () => {
    const { model, run } = codeRig();
    const about = (tokens: string): Partial<JobContext> => ({
      job: { ...jobContext().job, request: create(JobRequestSchema, { env: { max_output_tokens: tokens } }) },
    });
    model.play(submits({ diff }));
    await run(job, about('77'));
    expect(model.requests[0]?.maxTokens).toBe(77);
    for (const tokens of ['-1', '1e3', 'many', ' 5', '99999999999']) {
      await expect(run(job, about(tokens))).rejects.toMatchObject({
        code: 'invalid_argument',
        field: 'env.max_output_tokens',
      });
    }
    const stop = new AbortController();
    model.play({ ...useless, hold: new Promise(() => undefined) });
    const asked = run(job, { signal: stop.signal });
    stop.abort(new CortexError('canceled', 'the job was cancelled'));
    await expect(asked).rejects.toThrow('the job was cancelled');
    expect(model.requests).toHaveLength(2);
  });

  test('sees code with fences in a longer fence', async () => {
    const { model, run } = codeRig();
    model.play(submits({ content: 'x\n' }));
    await run({ ...job, code_snippet: '````\n```js\n' });
    expect(model.requests[0]?.messages[1]?.content).toContain('`````\n````\n```js\n`````');
  });
});

describe('a job', () => {
  const { parse } = codeLlm(undefined, noEngine);

  test.each<[string, unknown]>([
    ['file_path', { ...job, file_path: undefined }],
    ['file_path', { ...job, file_path: '' }],
    ['file_path', { ...job, file_path: '/etc/passwd' }],
    ['file_path', { ...job, file_path: 'C:/x' }],
    ['file_path', { ...job, file_path: 'a/../b' }],
    ['file_path', { ...job, file_path: './a' }],
    ['file_path', { ...job, file_path: 'a//b' }],
    ['file_path', { ...job, file_path: 'a/' }],
    ['file_path', { ...job, file_path: '.git/hooks/pre-commit' }],
    ['file_path', { ...job, file_path: 'x/.GIT/config' }],
    ['file_path', { ...job, file_path: 'git~1/config' }],
    ['file_path', { ...job, file_path: '.g\u200cit/config' }],
    ['file_path', { ...job, file_path: '.git. /config' }],
    ['file_path', { ...job, file_path: 'a\\b' }],
    ['file_path', { ...job, file_path: 'a\nb' }],
    ['file_path', { ...job, file_path: 'a\0b' }],
    ['file_path', { ...job, file_path: '\ud800' }],
    ['file_path', { ...job, file_path: 'x'.repeat(256) }],
    ['file_path', { ...job, file_path: 'x/'.repeat(600) }],
    ['code_snippet', { ...job, code_snippet: undefined }],
    ['code_snippet', { ...job, code_snippet: 'a\0b' }],
    ['code_snippet', { ...job, code_snippet: '\udc00' }],
    ['code_snippet', { ...job, code_snippet: 'x'.repeat(3_000_001) }],
    ['instruction', { ...job, instruction: ' ' }],
    ['instruction', { ...job, instruction: null }],
    ['payload', null],
  ])('with a wrong %s is refused by that name: %#', (field, payload) => {
    expect(parse(payload)).toMatchObject({ ok: false, error: { code: 'invalid_argument', field } });
  });

  test('from the gateway has its fields in its context; one beside that wins', () => {
    const read = (payload: unknown): unknown => unwrap(parse(payload));
    expect(read({ prompt: 'p', topic: 'job.code.llm', context: job })).toEqual(job);
    expect(read({ instruction: 'other', context: job })).toEqual({ ...job, instruction: 'other' });
  });
});

describe('a policy', () => {
  const under = (json: Record<string, unknown>): { constraints: PolicyConstraints } => ({
    constraints: create(PolicyConstraintsSchema, json),
  });

  test.each<[string, Record<string, unknown>]>([
    ['diff.deny_path_globs', { diff: { denyPathGlobs: ['docs/**', 'src/*.ts'] } }],
    ['diff.deny_path_globs', { diff: { denyPathGlobs: ['a.ts'] } }],
    ['diff.deny_path_globs', { diff: { denyPathGlobs: ['[a'] } }],
    ['toolchain.allowed_tools', { toolchain: { allowedTools: ['make'] } }],
    ['sandbox.fs_read_only', { sandbox: { fsReadOnly: ['/'] } }],
    ['sandbox.fs_read_write', { sandbox: { fsReadWrite: ['/nowhere'] } }],
  ])('with %s against it is kept to before the model is asked', async (name, json) => {
    const { model, run } = codeRig();
    await expect(run(job, under(json))).rejects.toMatchObject({
      code: 'failed_precondition',
      field: `constraints.${name}`,
    });
    expect(model.requests).toHaveLength(0);
  });

  test('that allows it changes nothing', async () => {
    const { model, run } = codeRig();
    model.play(submits({ diff }));
    const json = {
      diff: { maxFiles: 1, maxLines: 2, denyPathGlobs: ['docs/**'] },
      sandbox: { fsReadWrite: ['/tmp', '/var', process.env['TMPDIR'] ?? '/tmp'], networkAllowlist: ['models.example'] },
      toolchain: { allowedTools: ['git'] },
    };
    expect(await run(job, under(json))).toMatchObject(patchOf());
    const { constraints } = under(json);
    expect(refusal(constraints, codeLlm(undefined, noEngine).honours)).toBeUndefined();
    expect(demands(constraints)).toHaveLength(6);
  });

  test('with diff.max_lines is told to the model, and a patch beyond it is mended or refused by name', async () => {
    const { model, run } = codeRig();
    const large = diffBetween(path, code, 'ONE\nTWO\nTHREE\nFOUR\n');
    model.play(submits({ diff: large }), submits({ diff }), submits({ diff: large }), submits({ diff: large }));
    const two = under({ diff: { maxLines: 2 } });
    expect(await run(job, two)).toMatchObject({ ...patchOf(), repaired: true });
    expect(model.requests[0]?.messages[0]?.content).toContain('at most 2 lines');
    await expect(run(job, two)).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'constraints.diff.max_lines',
      message: 'constraints.diff.max_lines: the patch changes 8 lines, at most 2 are allowed',
    });
  });

  test.each(['sandbox.isolated', 'toolchain.allowed_commands', 'redaction_level'] as const)(
    'with %s is not for this worker',
    (name) => expect(codeLlm(undefined, noEngine).honours.has(name)).toBe(false),
  );
});
