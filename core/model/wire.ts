// The way to a provider and back, of one request: no redirects, and never more than a bound of what comes back, whatever it is: what the
// SDK has to hold until it can be read (an event without an end, arguments of a tool without a name) is held in memory.
import { ModelError } from './model.ts';

/** Bytes of an answer at most: about 1,000,000 characters (`maxAnswerLength`) where each event brings one token. */
export const mostAnswerBytes = 64 * 2 ** 20;

/** Bytes that are read of what comes with a refusal; the rest is left. */
export const mostRefusalBytes = 64 * 2 ** 10;

/**
 * The fetch of a driver for one request to model `name`; `taken` hears that the provider has taken it, with the head of a success. It follows
 * no redirect, which would take the prompt, and in some dialects the key, to a host that nobody configured.
 */
export function wireFetch(name: string, taken: () => void): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual' });
    const { body, headers, ok, status, statusText } = response;
    if (ok) taken();
    if (body === null) return response;
    const bounded = ok
      ? upTo(mostAnswerBytes, (rest) =>
          rest.error(
            new ModelError('out_of_range', `the answer of model ${name} is longer than ${mostAnswerBytes} bytes`, {
              final: true, // as sdk.ts has it
            }),
          ),
        )
      : upTo(mostRefusalBytes, (rest) => rest.terminate());
    return new Response(body.pipeThrough(bounded), { headers, status, statusText });
  };
}

function upTo(
  most: number,
  beyond: (rest: TransformStreamDefaultController<Uint8Array>) => void,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, rest) {
      bytes += chunk.length;
      if (bytes > most) beyond(rest);
      else rest.enqueue(chunk);
    },
  });
}
