// What Node's HTTP/1.1 parser refuses before any application hears of it, as problem JSON like every other error.
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HttpError, problem } from '#core/http/errors.ts';

const refusals: Readonly<Record<string, HttpError>> = {
  HPE_HEADER_OVERFLOW: new HttpError(431, 'invalid_argument', 'the headers are too large'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new HttpError(413, 'invalid_argument', 'body: its chunk extensions are too large'),
  ERR_HTTP_REQUEST_TIMEOUT: new HttpError(408, 'deadline_exceeded', 'the request did not come to its end in time'),
};
const garbage = new HttpError(400, 'invalid_argument', 'this is not HTTP');
const expectation = new HttpError(417, 'invalid_argument', 'Expect: only 100-continue is understood', {
  field: 'Expect',
});

/** Answers 400, 408, 413, 417 and 431 for the server; without it Node sends them empty. */
export function answerRefusals(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Node keeps the answer under way there; when its head is out, another one would become a part of it.
    const { _httpMessage: answering } = socket as { _httpMessage?: ServerResponse | null };
    if (socket.writable && answering?.headersSent !== true) {
      const { status, headers, body } = problem(refusals[error.code ?? ''] ?? garbage);
      const text = JSON.stringify(body);
      const lines = { ...headers, 'content-length': Buffer.byteLength(text), connection: 'close' };
      const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 ${status} ${body.title}\r\n${head.join('')}\r\n${text}`);
    }
    socket.destroy(error);
  });
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    const { status, headers, body } = problem(expectation);
    const text = JSON.stringify(body);
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
  });
}
