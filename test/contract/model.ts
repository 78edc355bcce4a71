// What every driver of the model port must do. The stage plays a turn and hands out the model; the same suite runs on real wire formats
// and on the memory twin.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CortexError, isRetryable } from '#core/errors.ts';
import { collect, type Model, ModelError, type ModelPart, type ModelRequest } from '#core/model/model.ts';
import type { ModelTurn } from '../helpers/model-server.ts';

export interface ModelStage {
  /** Its name is `scripted`. */
  readonly model: Model;
  play(...turns: readonly ModelTurn[]): void;
  /** Resolves when the n-th request, from 0, has arrived. */
  arrived(n: number): Promise<void>;
  /** Resolves when the n-th request has ended: whether the client left before the end. */
  ended(n: number): Promise<'answered' | 'left'>;
  close(): Promise<void>;
}

export function testModel(name: string, make: () => Promise<ModelStage>): void {
  describe(`a model (${name})`, () => {
    let stage: ModelStage;
    beforeEach(async () => {
      stage = await make();
    });
    afterEach(() => stage.close());

    const ask = (extra: Partial<ModelRequest> = {}): AsyncIterable<ModelPart> =>
      stage.model.stream({
        messages: [{ role: 'user', content: 'hello' }],
        signal: new AbortController().signal,
        ...extra,
      });
    const fault = async (parts: AsyncIterable<ModelPart>): Promise<{ error: ModelError; text: string }> => {
      let text = '';
      try {
        for await (const part of parts) if (part.type === 'text') text += part.text;
      } catch (error) {
        expect(error).toBeInstanceOf(ModelError);
        return { error: error as ModelError, text };
      }
      throw new Error('it did not fail');
    };

    test('gives the text piece by piece, then one end with the usage', async () => {
      stage.play({ kind: 'whole', pieces: ['[scripted] ', 'ä', ' 𝄞 end'] });
      const parts: ModelPart[] = [];
      for await (const part of ask()) parts.push(part);
      const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
      expect(texts).toEqual(['[scripted] ', 'ä', ' 𝄞 end']);
      expect(parts.at(-1)).toEqual({
        type: 'end',
        model: 'scripted',
        finish: 'stop',
        usage: { inputTokens: 11, outputTokens: 7 },
      });
      expect(parts.filter(({ type }) => type === 'end')).toHaveLength(1);
      expect(await stage.ended(0)).toBe('answered');
    });

    test('says when its bound ended the answer', async () => {
      stage.play({ kind: 'whole', pieces: ['[scripted] so f'], finish: 'length' });
      expect(await collect(ask())).toMatchObject({ text: '[scripted] so f', finish: 'length' });
    });

    test('calls a tool, its input parsed', async () => {
      const input = { path: 'a/b.ts', lines: [1, 2], quote: '"' };
      stage.play({ kind: 'tool', name: 'read', input });
      const tools = [{ name: 'read', description: 'reads a file', input: { type: 'object', properties: {} } }];
      const answer = await collect(ask({ tools }));
      expect(answer).toMatchObject({ finish: 'tool_calls', text: '' });
      expect(answer.toolCalls).toEqual([{ id: 'scripted-call-1', name: 'read', input }]);
    });

    test('leaves out a call that its bound cut, and says so with the usage', async () => {
      stage.play({ kind: 'tool', name: 'read', input: {}, text: '{"path":"a', finish: 'length' });
      const tools = [{ name: 'read', description: 'reads a file', input: { type: 'object', properties: {} } }];
      const usage = { inputTokens: 11, outputTokens: 7 };
      expect(await collect(ask({ tools }))).toEqual({
        model: 'scripted',
        text: '',
        toolCalls: [],
        finish: 'length',
        usage,
      });
    });

    test('hands on a call whose input is no JSON as the model wrote it', async () => {
      stage.play({ kind: 'tool', name: 'read', input: {}, text: '{"path": oh}' });
      const tools = [{ name: 'read', description: 'reads a file', input: { type: 'object', properties: {} } }];
      const { toolCalls, finish } = await collect(ask({ tools }));
      expect(finish).toBe('tool_calls');
      expect(toolCalls).toEqual([{ id: 'scripted-call-1', name: 'read', input: '{"path": oh}' }]);
    });

    test('tells that the request was taken, and of a refusal nothing', async () => {
      let signs = 0;
      const alive = (): void => void signs++;
      stage.play({ kind: 'status', status: 400 }, { kind: 'whole', pieces: ['[scripted] yes'] });
      await fault(ask({ alive }));
      expect(signs).toBe(0);
      for await (const part of ask({ alive })) if (part.type === 'text') expect(signs).toBeGreaterThan(0);
      expect(signs).toBeGreaterThan(0);
    });

    test('takes a conversation with tools', async () => {
      stage.play({ kind: 'whole', pieces: ['[scripted] done'] });
      const answer = await collect(
        ask({
          messages: [
            { role: 'system', content: 'be short' },
            { role: 'user', content: 'read a' },
            { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'read', input: { path: 'a' } }] },
            { role: 'tool', callId: 'c1', name: 'read', content: 'text of a' },
          ],
          tools: [{ name: 'read', description: 'reads a file', input: { type: 'object', properties: {} } }],
        }),
      );
      expect(answer.text).toBe('[scripted] done');
    });

    test('sends nothing before the first part is asked for, nor when it is too late', async () => {
      const parts = ask({ signal: AbortSignal.abort(new CortexError('canceled', 'the job was cancelled')) });
      await expect(collect(parts)).rejects.toThrow('the job was cancelled');
      stage.play({ kind: 'whole', pieces: ['[scripted] first'] });
      expect((await collect(ask())).text).toBe('[scripted] first');
    });

    test.each(['ended', 'torn'] as const)('a stream that is cut (%s) fails and may be tried again', async (how) => {
      stage.play({ kind: 'cut', pieces: ['[scripted] half'], how });
      const { error, text } = await fault(ask());
      expect(text).toBe('[scripted] half');
      expect([error.code, isRetryable(error)]).toEqual(['unavailable', true]);
      expect(error.message).toBe('the answer of model scripted was cut off');
    });

    test.each([
      [400, 'invalid_argument', false],
      [401, 'unauthenticated', false],
      [403, 'permission_denied', false],
      [404, 'not_found', false],
      [429, 'resource_exhausted', true],
      [500, 'unavailable', true],
      [503, 'unavailable', true],
      [529, 'unavailable', true],
    ] as const)('%i is %s', async (status, code, retryable) => {
      stage.play({ kind: 'status', status });
      const { error } = await fault(ask());
      expect([error.code, isRetryable(error), error.retryAfterMs]).toEqual([code, retryable, undefined]);
      // What a provider says about a key may show it.
      const said =
        status === 401 || status === 403 ? 'it does not take the key that key_env names' : '[scripted] failure';
      expect(error.message).toBe(`model scripted answered ${status}: ${said}`);
    });

    test('429 says when to come again', async () => {
      stage.play({ kind: 'status', status: 429, headers: { 'retry-after': '7' } });
      expect((await fault(ask())).error.retryAfterMs).toBe(7_000);
    });

    test('garbage fails for good', async () => {
      stage.play({ kind: 'garbage' });
      const { error } = await fault(ask());
      expect([error.code, isRetryable(error)]).toEqual(['internal', false]);
      expect(error.message).toBe('model scripted answered what is not its protocol');
    });

    test('abort ends a request that waits for its first byte', async () => {
      const never = Promise.withResolvers<void>();
      stage.play({ kind: 'whole', pieces: ['[scripted] late'], hold: never.promise });
      const stop = new AbortController();
      const asked = collect(ask({ signal: stop.signal }));
      asked.catch(() => undefined); // heard below
      await stage.arrived(0);
      stop.abort(new CortexError('canceled', 'the job was cancelled'));
      await expect(asked).rejects.toMatchObject({ code: 'canceled', message: 'the job was cancelled' });
      expect(await stage.ended(0)).toBe('left');
      never.resolve();
    });

    test('abort ends a stream that has begun', async () => {
      stage.play({ kind: 'endless', piece: '[scripted] on and on ' });
      const stop = new AbortController();
      let seen = 0;
      const read = async (): Promise<void> => {
        for await (const part of ask({ signal: stop.signal })) {
          if (part.type === 'text' && ++seen === 3) stop.abort(new CortexError('deadline_exceeded', 'too late'));
        }
      };
      await expect(read()).rejects.toMatchObject({ code: 'deadline_exceeded', message: 'too late' });
      expect(await stage.ended(0)).toBe('left');
    });

    test('whoever stops reading ends the request', async () => {
      stage.play({ kind: 'endless', piece: '[scripted] on and on ' });
      for await (const part of ask()) if (part.type === 'text') break;
      expect(await stage.ended(0)).toBe('left');
    });

    test('an answer without end is bounded when it is gathered', async () => {
      stage.play({ kind: 'endless', piece: `[scripted] ${'x'.repeat(20_000)}` });
      await expect(collect(ask())).rejects.toMatchObject({ code: 'out_of_range' });
      expect(await stage.ended(0)).toBe('left');
    });
  });
}
