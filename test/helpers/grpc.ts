// A gRPC client that shares nothing with our servers: grpc-js and the .proto files as they are, for any service of ours.
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** `code` and `details` as gRPC has them; 0 is well. */
export interface GrpcAnswer {
  readonly code: number;
  readonly details?: string;
  readonly message?: Readonly<Record<string, unknown>>;
}

export type GrpcCall = (message: object, headers?: Readonly<Record<string, string>>) => Promise<GrpcAnswer>;

const protos = fileURLToPath(new URL('../../proto', import.meta.url));

/** A connection to `http://host:port`, with TLS where `trust` says whom. Answers name fields as the .proto files do, enums by name. */
export function connectGrpc(url: string, trust = credentials.createInsecure()) {
  const client = new Client(new URL(url).host, trust);
  return {
    close: () => client.close(),
    /** A unary method of a service in a file of proto/; `path` calls another method with the same messages. */
    method(file: string, service: string, name: string, path?: string): GrpcCall {
      const definition = loadSync(file, { includeDirs: [protos], keepCase: true, enums: String, longs: String })[
        service
      ];
      const method = (definition as Record<string, GrpcMethod> | undefined)?.[name];
      if (method === undefined) throw new Error(`${file} has no ${service}.${name}`);
      return (message, headers = {}) =>
        new Promise((resolve) => {
          const metadata = new Metadata();
          for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
          client.makeUnaryRequest(
            path ?? method.path,
            method.requestSerialize,
            method.responseDeserialize,
            message,
            metadata,
            { deadline: Date.now() + 5_000 },
            (error: ServiceError | null, answer?: object) =>
              resolve(
                error === null
                  ? { code: 0, message: answer as Record<string, unknown> }
                  : { code: error.code, details: error.details },
              ),
          );
        });
    },
  };
}

interface GrpcMethod {
  readonly path: string;
  readonly requestSerialize: (message: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => object;
}
