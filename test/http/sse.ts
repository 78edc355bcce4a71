// Reads text/event-stream as a browser does: events with their type, id and data, and the id that a comment block moves on.
export interface SseEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

export interface SseReader {
  /** The next event; undefined when the stream is over. Comments and empty blocks are passed over. */
  next(): Promise<SseEvent | undefined>;
  /** All events until the stream is over. */
  rest(): Promise<readonly SseEvent[]>;
  /** What a client would send as Last-Event-ID. */
  readonly lastId: string;
  cancel(): Promise<void>;
}

export function readSse(response: Response): SseReader {
  if (response.status !== 200 || response.body === null) throw new Error(`no stream: ${response.status}`);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  let lastId = '';
  const block = async (): Promise<string | undefined> => {
    for (;;) {
      const at = buffer.indexOf('\n\n');
      if (at >= 0) {
        const text = buffer.slice(0, at);
        buffer = buffer.slice(at + 2);
        return text;
      }
      const { value, done } = await reader.read();
      if (done) return undefined;
      buffer += decoder.decode(value, { stream: true });
    }
  };
  const next = async (): Promise<SseEvent | undefined> => {
    for (;;) {
      const text = await block();
      if (text === undefined) return undefined;
      const fields = new Map(
        text.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      const id = fields.get('id');
      if (id !== undefined) lastId = id;
      const data = fields.get('data');
      if (data !== undefined) {
        return { event: fields.get('event') ?? 'message', id, data: JSON.parse(data) as Record<string, unknown> };
      }
    }
  };
  return {
    next,
    async rest() {
      const all: SseEvent[] = [];
      for (let event = await next(); event !== undefined; event = await next()) all.push(event);
      return all;
    },
    get lastId() {
      return lastId;
    },
    cancel: () => reader.cancel(),
  };
}
