// An HTTP/1.1 client that costs next to nothing, because the load generator shares two cores with what it measures: one kept
// connection, one request at a time, answers with a Content-Length. It is no client for anything else.
import { once } from 'node:events';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface RawConnection {
  post(path: string, body: string): Promise<Answer>;
  close(): void;
}

const headEnd = Buffer.from('\r\n\r\n');

export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  let received = Buffer.alloc(0);
  let pending: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  const fail = (error: Error): void => {
    pending?.reject(error);
    pending = undefined;
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error(`${host} closed the connection`)));
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const split = received.indexOf(headEnd);
    if (split < 0) return;
    const head = received.toString('latin1', 0, split);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) return fail(new Error(`an answer without Content-Length: ${head}`));
    const end = split + headEnd.length + Number(length);
    if (received.length < end) return;
    const answer = { status: Number(head.slice(9, 12)), body: received.toString('utf8', split + headEnd.length, end) };
    received = received.subarray(end);
    pending?.resolve(answer);
    pending = undefined;
  });
  return {
    post(path, body) {
      if (pending !== undefined) throw new Error('one request at a time');
      const length = Buffer.byteLength(body);
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
      );
      return new Promise((resolve, reject) => (pending = { resolve, reject }));
    },
    close: () => void socket.destroy(),
  };
}
