// The twin keeps the contract.
import { EventEmitter, once } from 'node:events';
import { createMemoryModel, type Turn } from '#core/model/memory.ts';
import { faultOf } from '#core/model/fault.ts';
import { ModelError, type ModelPart } from '#core/model/model.ts';
import type { ModelTurn } from '../helpers/model-server.ts';
import { testModel } from './model.ts';

const usage = { inputTokens: 11, outputTokens: 7 };
const texts = (pieces: readonly string[]): ModelPart[] => pieces.map((text) => ({ type: 'text', text }));

function turnOf(turn: ModelTurn): Turn {
  switch (turn.kind) {
    case 'whole': {
      const end = { type: 'end', model: 'scripted', finish: turn.finish ?? 'stop', usage } as const;
      return { parts: [...texts(turn.pieces), end], ...(turn.hold !== undefined && { hold: turn.hold }) };
    }
    case 'tool': {
      const { name, input, text, finish = 'tool_calls' } = turn;
      const call = { type: 'tool_call', id: 'scripted-call-1', name, input: text ?? input } as const;
      const calls = finish === 'length' ? [] : [call];
      return { parts: [...calls, { type: 'end', model: 'scripted', finish, usage }] };
    }
    case 'cut':
      return { parts: texts(turn.pieces) };
    case 'status': {
      const said = { status: turn.status, headers: turn.headers ?? {}, message: '[scripted] failure' };
      const { code, message, retryAfterMs } = faultOf('scripted', said, 0);
      return { parts: [], after: new ModelError(code, message, { retryAfterMs }) };
    }
    case 'garbage':
      return { parts: [], after: new ModelError('internal', 'model scripted answered what is not its protocol') };
    case 'endless':
      return { parts: texts([turn.piece]), after: 'again' };
  }
}

testModel('memory', async () => {
  const model = createMemoryModel('scripted');
  const news = new EventEmitter();
  const ends: ('answered' | 'left')[] = [];
  return {
    model: {
      name: model.name,
      async *stream(request) {
        let whole = false;
        const parts = model.stream(request);
        try {
          queueMicrotask(() => news.emit('request'));
          for await (const part of parts) {
            whole ||= part.type === 'end';
            yield part;
          }
        } finally {
          ends.push(whole ? 'answered' : 'left');
          news.emit('end');
        }
      },
    },
    play: (...turns) => model.play(...turns.map(turnOf)),
    async arrived(n) {
      while (model.requests.length <= n) await once(news, 'request');
    },
    async ended(n) {
      while (ends[n] === undefined) await once(news, 'end');
      return ends[n];
    },
    close: async () => undefined,
  };
});
