// A worker of the tests: it publishes as the gateway does, and says what became of it.
import { waitUntil } from 'cloudflare:workers';
import { createWsBus } from '#core/bus/nats-ws.ts';
import { createRequestPublisher } from '#core/bus/request-publisher.ts';
import { CortexError } from '#core/errors.ts';

interface Env {
  readonly NATS_WS_URL: string;
}

const told: string[] = [];
let publisher: ReturnType<typeof createRequestPublisher> | undefined;
let bus: ReturnType<typeof createWsBus> | undefined;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const onError = (error: unknown): void => void told.push(error instanceof CortexError ? error.code : String(error));
    bus ??= createWsBus({ url: env.NATS_WS_URL, name: 'edge', deadlineMs: 1_000, onError });
    const own = bus;
    publisher ??= createRequestPublisher({ publish: (messages) => own.publish(messages), waitUntil, onError });
    const { pathname, searchParams } = new URL(request.url);
    const message = { subject: searchParams.get('subject') ?? 'x', data: new TextEncoder().encode(pathname) };
    if (pathname === '/told') return Response.json(told);
    if (pathname.startsWith('/post')) {
      publisher.post(message);
      publisher.post(message);
      return new Response('posted');
    }
    const began = Date.now();
    try {
      await bus.publish([message]);
      return Response.json({ code: 'ok', ms: Date.now() - began });
    } catch (error) {
      return Response.json({ code: error instanceof CortexError ? error.code : String(error), ms: Date.now() - began });
    }
  },
};
