// gRPC for outsiders (grpcurl, the original's clients): a listener for HTTP/2, with the limits and error rules of the Hono mount.
// Our own callers use Connect.
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { type Routes, type RpcServerOptions, routerOptions } from './connect.ts';

export type GrpcListener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Serves the routes as gRPC alone; an unknown path answers UNIMPLEMENTED, as gRPC clients expect. */
export function createGrpcListener(routes: Routes, options: RpcServerOptions = {}): GrpcListener {
  return connectNodeAdapter({
    routes: (router) => {
      routes(router);
    },
    grpc: true,
    grpcWeb: false,
    connect: false,
    fallback: (_request, response) => {
      response.writeHead(200, {
        'content-type': 'application/grpc',
        'grpc-status': '12',
        'grpc-message': 'unknown method',
      });
      response.end();
    },
    ...routerOptions(options),
  });
}
