// Reads a request's body under a limit of bytes. Shape and meaning of what it holds are the caller's.
import { CortexError, toCortexError } from '#core/errors.ts';
import { HttpError } from './errors.ts';
import { type JsonLimits, parseJson } from './json.ts';

export interface BodyLimits extends JsonLimits {
  /** Bytes. Default 2 MiB, as later versions of the original had it. */
  readonly maxBytes?: number;
}

export const defaultMaxBytes = 2 * 1024 * 1024;

/**
 * The whole body. Throws HttpError 413 above the limit (told by Content-Length before a byte is read, else while reading),
 * 415 for a compressed body, CortexError `canceled` when the client went away.
 */
export async function readBody(request: Request, { maxBytes = defaultMaxBytes }: BodyLimits = {}): Promise<Uint8Array> {
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new HttpError(415, 'invalid_argument', 'Content-Encoding: compressed bodies are not accepted', {
      field: 'Content-Encoding',
    });
  }
  const announced = Number(request.headers.get('content-length') ?? '0');
  if (announced > maxBytes) throw tooLarge(maxBytes);
  // With a length that is known and small there is nothing to guard against: the runtime reads no more than announced. It comes
  // before any look at `body`, which on Node would build a web stream that nobody needs (a tenth of a submission's cost).
  if (announced > 0) return new Uint8Array(await read(() => request.arrayBuffer()));
  if (request.body === null) return new Uint8Array(0);

  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await read(() => reader.read());
    if (done) return joined(chunks, size);
    size += value.byteLength;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
}

/** The body as JSON. Throws as `readBody`, and `invalid_argument` as `parseJson` says it. */
export async function readJson(request: Request, limits: BodyLimits = {}): Promise<unknown> {
  const parsed = parseJson(await readBody(request, limits), limits);
  if (!parsed.ok) throw parsed.error;
  return parsed.value;
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, 'invalid_argument', `body: is larger than ${maxBytes} bytes`, { field: 'body' });
}

async function read<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    // A body that stops is a client that left; nothing else makes reading fail.
    throw new CortexError('canceled', 'the client went away before its body was complete', {
      cause: toCortexError(error, 'canceled'),
    });
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
