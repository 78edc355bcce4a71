// Requests over a real connection.
import { request as httpRequest } from 'node:http';

/** fetch, but a Host of the test's own choice is really sent. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has('host')) return fetch(url, init);
  return new Promise((resolve, reject) => {
    const options = { method: init.method ?? 'GET', headers: Object.fromEntries(headers), agent: false };
    const sent = httpRequest(url, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const got = new Headers();
        for (const [name, value] of Object.entries(answer.headers))
          if (value !== undefined) got.set(name, String(value));
        resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 0, headers: got }));
      });
    });
    sent.on('error', reject);
    sent.end(init.body ?? undefined);
  });
}
