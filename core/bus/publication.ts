// What may leave for the bus, the same for every driver: a subject that the protocol can carry, headers of our own making
// alone, and no more bytes than the server takes. A client's Nats-Msg-Id or Nats-Expected-* would make a capturing stream
// drop the message without a word.
import { invalid } from '#core/errors.ts';
import { checkSubject } from './subject.ts';
import type { Publication } from './bus.ts';

const ownName = /^Cortex-[A-Za-z0-9-]+$/;
const lineEnd = /[\r\n\0]/;

/** Throws invalid_argument that names the field. `maxBytes`: what the server takes for headers and data together. */
export function checkPublication(message: Publication, maxBytes: number): void {
  checkSubject(message.subject);
  if (message.reply !== undefined) checkSubject(message.reply, 'reply');
  const bytes = message.data.length + (message.headers === undefined ? 0 : checkHeaders(message.headers));
  if (bytes > maxBytes) throw invalid('data', `${bytes} bytes are more than the ${maxBytes} that the bus carries`);
}

/** Answers a bound on what they take on the wire: three bytes a character. */
function checkHeaders(headers: Readonly<Record<string, string>>): number {
  let bytes = 12;
  for (const name in headers) {
    if (!ownName.test(name)) throw invalid(`headers.${name}`, 'only headers that begin with Cortex- go on the bus');
    const value = headers[name] ?? '';
    if (lineEnd.test(value)) throw invalid(`headers.${name}`, 'must be one line');
    bytes += name.length + 4 + value.length * 3;
  }
  return bytes;
}
