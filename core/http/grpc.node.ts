// What needs HTTP/2 and Node: gRPC for outsiders (grpcurl, the original's clients), and streams in both directions for Connect. A
// listener with the limits and error rules of the Hono mount. Our own callers use Connect.
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { ContextValues } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { shorterTimeout } from './call-timeout.ts';
import { type Routes, type RpcServerOptions, routerOptions } from './connect.ts';
import { unservedMessage } from './unserved.ts';

export interface GrpcListener {
  (request: Http2ServerRequest, response: Http2ServerResponse): void;
  /** Whether a request is for this listener; any other is for the app. */
  takes(request: Pick<Http2ServerRequest, 'headers' | 'url'>): boolean;
}

export interface GrpcOptions extends RpcServerOptions {
  /** What the methods learn of a call beside its message and headers: the address at the other end. */
  readonly contextValues?: (request: Http2ServerRequest) => ContextValues;
  /**
   * A stream of messages in which nothing moves for so long is cut, ms: whoever does not read cannot be told of its end. Default
   * 30,000.
   */
  readonly stalledMs?: number;
}

/**
 * Serves the routes as gRPC, and those that stream both ways as Connect where they ask for it. An unknown path answers
 * UNIMPLEMENTED, as gRPC clients expect. Takes messages in gzip and brotli; their limit counts what they unfold to.
 */
export function createGrpcListener(routes: Routes, options: GrpcOptions = {}): GrpcListener {
  const { contextValues, stalledMs = 30_000 } = options;
  const served = routerOptions(options);
  const streams = new Set<string>();
  const connectStreams = new Set<string>();
  const handle = connectNodeAdapter({
    ...(contextValues === undefined
      ? {}
      : { contextValues: (request) => contextValues(request as Http2ServerRequest) }),
    routes(router) {
      routes(router);
      for (const { method, requestPath, protocolNames } of router.handlers) {
        if (method.methodKind !== 'unary') streams.add(requestPath);
        if (method.methodKind === 'bidi_streaming' && protocolNames.includes('connect'))
          connectStreams.add(requestPath);
      }
    },
    grpc: true,
    grpcWeb: false,
    connect: false,
    fallback({ url = '' }, response) {
      const message = encodeURIComponent(unservedMessage(url));
      // One frame that ends the stream: grpc-js takes a status in front of an empty body for none at all.
      (response as Http2ServerResponse).stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': message },
        { endStream: true },
      );
    },
    ...served,
  });
  const listener = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    for (const name of ['grpc-timeout', 'connect-timeout-ms'] as const) {
      const shorter = shorterTimeout(name, [request.headers[name]].flat()[0], served.maxTimeoutMs);
      if (shorter !== undefined) request.headers[name] = shorter;
    }
    const { stream } = request;
    if (streams.has(request.url)) stream.setTimeout(stalledMs, () => stream.close(constants.NGHTTP2_CANCEL));
    handle(request, response);
  };
  const takes: GrpcListener['takes'] = ({ headers, url }) => {
    const type = headers['content-type'];
    return isGrpc(type) || (type?.startsWith('application/connect+') === true && connectStreams.has(url));
  };
  return Object.assign(listener, { takes });
}

/** application/grpc and application/grpc+proto, but not application/grpc-web, which the Hono mount serves. */
export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:\+|;|$)/.test(contentType);
}
