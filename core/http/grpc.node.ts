// gRPC for outsiders (grpcurl, the original's clients): a listener for HTTP/2, with the limits and error rules of the Hono mount.
// Our own callers use Connect.
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { ContextValues } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { type Routes, type RpcServerOptions, routerOptions } from './connect.ts';

export type GrpcListener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

export interface GrpcOptions extends RpcServerOptions {
  /** What the methods learn of a call beside its message and headers: the address at the other end. */
  readonly contextValues?: (request: Http2ServerRequest) => ContextValues;
}

/** Serves the routes as gRPC alone; an unknown path answers UNIMPLEMENTED, as gRPC clients expect. */
export function createGrpcListener(routes: Routes, options: GrpcOptions = {}): GrpcListener {
  const { contextValues } = options;
  return connectNodeAdapter({
    ...(contextValues === undefined
      ? {}
      : { contextValues: (request) => contextValues(request as Http2ServerRequest) }),
    routes: (router) => {
      routes(router);
    },
    grpc: true,
    grpcWeb: false,
    connect: false,
    fallback: (_request, response) => {
      // One frame that ends the stream: grpc-js takes a status in front of an empty body for none at all.
      (response as Http2ServerResponse).stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': 'unknown method' },
        { endStream: true },
      );
    },
    ...routerOptions(options),
  });
}
