// text/event-stream as it comes: events with type, id and data. A block without data may still move the id on, as in a browser.

export interface SseEvent {
  readonly type: string;
  readonly data: string;
}

export interface SseSink {
  /** The id that a client names when it comes again. */
  readonly onId: (id: string) => void;
  /** Called for each piece that comes, whatever it is. */
  readonly onLife: () => void;
}

/** The events of a body, in order, until it is over. Throws what reading throws. */
export async function* readEvents(body: ReadableStream<Uint8Array>, sink: SseSink): AsyncGenerator<SseEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    sink.onLife();
    rest += decoder.decode(piece, { stream: true });
    for (let at = rest.indexOf('\n\n'); at >= 0; at = rest.indexOf('\n\n')) {
      const event = readBlock(rest.slice(0, at), sink);
      rest = rest.slice(at + 2);
      if (event !== undefined) yield event;
    }
  }
}

function readBlock(text: string, { onId }: SseSink): SseEvent | undefined {
  let type = 'message';
  const data: string[] = [];
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'id') onId(value);
    else if (name === 'event') type = value;
    else if (name === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { type, data: data.join('\n') };
}
