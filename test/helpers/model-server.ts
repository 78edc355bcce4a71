// A model server for tests, on loopback: it speaks chat completions (OpenAI and Ollama) and the messages API of Anthropic as they are on
// the wire, streamed and plain, and embeddings, and plays what is written down for it. Every text that it makes up begins with `[scripted]`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventEmitter, once } from 'node:events';
import { type Dialect, anthropicDialect, completionsDialect, type Said, scriptedUsage } from './model-dialects.ts';

export type ModelTurn =
  /** The whole answer, in pieces. `hold` is waited for before the first byte of the answer, head included. */
  | {
      readonly kind: 'whole';
      readonly pieces: readonly string[];
      readonly hold?: Promise<void>;
      readonly finish?: 'stop' | 'length';
    }
  /** One call of a tool. `text` is written in place of its input's JSON. */
  | {
      readonly kind: 'tool';
      readonly name: string;
      readonly input: unknown;
      readonly text?: string;
      readonly finish?: 'length';
    }
  /** The pieces, and then the connection ends: at a boundary of events, or `torn` within one. */
  | { readonly kind: 'cut'; readonly pieces: readonly string[]; readonly how: 'ended' | 'torn' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** 200, and what no provider says. */
  | { readonly kind: 'garbage' }
  /** The same piece until the client leaves. */
  | { readonly kind: 'endless'; readonly piece: string };

/** Turns of POST /v1/embeddings. `vectors`: one for each text, in this order on the wire; `indexes` in place of 0, 1, 2 ... */
export type EmbeddingsTurn =
  | {
      readonly kind: 'vectors';
      readonly vectors: readonly (readonly unknown[])[];
      readonly indexes?: readonly number[];
    }
  /** `text` with status 200. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Nothing, until the client leaves. */
  | { readonly kind: 'silent' };

export interface ModelRequestSeen {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** Settles when the connection of the answer is closed: whether the client left before the end. */
  readonly closed: Promise<'answered' | 'left'>;
}

export interface ModelServer {
  /** `http://127.0.0.1:<port>`, without a path. */
  readonly url: string;
  readonly requests: readonly ModelRequestSeen[];
  /** Written down for the requests to come; one without a turn gets the prompt back, marked. */
  play(...turns: readonly ModelTurn[]): void;
  /** The same for embeddings; without a turn each text gets the vector that `scripted` gives it. */
  playEmbeddings(...turns: readonly EmbeddingsTurn[]): void;
  /** The n-th request, from 0, as soon as it is there. */
  request(n: number): Promise<ModelRequestSeen>;
  /** Ends every connection; a second time it does nothing. */
  close(): Promise<void>;
}

const dialects: Readonly<Record<string, Dialect>> = {
  '/v1/chat/completions': completionsDialect,
  '/v1/messages': anthropicDialect,
};

/** `scripted`: the vector of a text, by whoever wrote the test. */
export async function startModelServer(
  scripted: (text: string) => readonly number[] = () => [1, 0],
): Promise<ModelServer> {
  const turns: ModelTurn[] = [];
  const embeddingsTurns: EmbeddingsTurn[] = [];
  const requests: ModelRequestSeen[] = [];
  const news = new EventEmitter();
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    void (async () => {
      const body = await bodyOf(request);
      const { promise: closed, resolve } = Promise.withResolvers<'answered' | 'left'>();
      response.on('close', () => resolve(response.writableFinished ? 'answered' : 'left'));
      requests.push({ path: request.url ?? '', headers: request.headers, body, closed });
      news.emit('request');
      const dialect = dialects[request.url ?? ''];
      if (request.url === '/v1/embeddings') {
        const vectors = (body['input'] as string[]).map(scripted);
        embed(body, embeddingsTurns.shift() ?? { kind: 'vectors', vectors }, response);
      } else if (dialect === undefined) response.writeHead(404).end('404 page not found');
      else await answer(dialect, body, turns.shift() ?? echo(body), response);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    play: (...more) => void turns.push(...more),
    playEmbeddings: (...more) => void embeddingsTurns.push(...more),
    async request(n) {
      while (requests[n] === undefined) await once(news, 'request');
      return requests[n];
    },
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return JSON.parse(text) as Record<string, unknown>;
}

function echo(body: Readonly<Record<string, unknown>>): ModelTurn {
  const last = (body['messages'] as { content: string | { text?: string }[] }[]).at(-1)?.content ?? '';
  const text = typeof last === 'string' ? last : last.map((part) => part.text ?? '').join('');
  return { kind: 'whole', pieces: ['[scripted] ', text] };
}

function embed(body: Readonly<Record<string, unknown>>, turn: EmbeddingsTurn, response: ServerResponse): void {
  const json = { 'content-type': 'application/json' };
  switch (turn.kind) {
    case 'silent':
      return;
    case 'status': {
      const text = JSON.stringify(completionsDialect.error(turn.status, '[scripted] failure'));
      response.writeHead(turn.status, { ...json, ...turn.headers }).end(text);
      return;
    }
    case 'text':
      response.writeHead(200, json).end(turn.text);
      return;
    case 'vectors': {
      const data = turn.vectors.map((embedding, i) => ({
        object: 'embedding',
        index: turn.indexes?.[i] ?? i,
        embedding,
      }));
      const usage = { prompt_tokens: scriptedUsage.input, total_tokens: scriptedUsage.input };
      response.writeHead(200, json).end(JSON.stringify({ object: 'list', data, model: body['model'], usage }));
    }
  }
}

async function answer(
  dialect: Dialect,
  body: Readonly<Record<string, unknown>>,
  turn: ModelTurn,
  response: ServerResponse,
): Promise<void> {
  if (turn.kind === 'status') {
    const text = JSON.stringify(dialect.error(turn.status, '[scripted] failure'));
    response.writeHead(turn.status, { 'content-type': 'application/json', ...turn.headers }).end(text);
    return;
  }
  if (turn.kind === 'whole' && turn.hold !== undefined) await turn.hold;
  const model = String(body['model']);
  if (body['stream'] !== true) {
    if (turn.kind !== 'whole' && turn.kind !== 'tool')
      throw new Error(`no plain answer is written down for ${turn.kind}`);
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(dialect.plain(model, saidBy(turn))));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const write = (event: string): Promise<void> =>
    new Promise((resolve) => {
      if (response.destroyed) return resolve();
      response.once('close', resolve);
      response.write(event, () => {
        response.off('close', resolve);
        resolve();
      });
    });
  if (turn.kind === 'garbage') {
    response.end('data: <html>[scripted] no JSON</html>\n\n');
    return;
  }
  for (const event of dialect.begin(model)) await write(event);
  switch (turn.kind) {
    case 'whole':
    case 'tool':
      for (const event of dialect.stream(model, saidBy(turn))) await write(event);
      response.end();
      return;
    case 'cut':
      for (const piece of turn.pieces) await write(dialect.piece(model, piece));
      if (turn.how === 'ended') return void response.end();
      await write(dialect.piece(model, 'torn').slice(0, 20));
      response.destroy();
      return;
    case 'endless':
      while (!response.destroyed) await write(dialect.piece(model, turn.piece));
  }
}

function saidBy(turn: Extract<ModelTurn, { kind: 'whole' | 'tool' }>): Said {
  if (turn.kind === 'whole') return { pieces: turn.pieces, tool: undefined, finish: turn.finish ?? 'stop' };
  const { name, input, text = JSON.stringify(input), finish = 'tool' } = turn;
  return { pieces: [], tool: { id: 'scripted-call-1', name, input, text }, finish };
}
