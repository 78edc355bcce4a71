// A gRPC client that shares nothing with our servers: grpc-js and .proto files as they are, for any service.
import { fileURLToPath } from 'node:url';
import {
  type ClientDuplexStream,
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** `code` and `details` as gRPC has them; 0 is well. */
export interface GrpcAnswer {
  readonly code: number;
  readonly details?: string;
  readonly message?: Readonly<Record<string, unknown>>;
  /** What came with an error beside it. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export type GrpcHeaders = Readonly<Record<string, string>>;
export type GrpcCall = (message: object, headers?: GrpcHeaders, deadlineMs?: number) => Promise<GrpcAnswer>;

/** A stream both ways. */
export interface GrpcStream {
  /** Says something; the next answer, or undefined when the stream ended instead. */
  ask(message: object): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Says something and waits for nothing. */
  send(message: object): void;
  /** Has no more to say. */
  end(): void;
  cancel(): void;
  /** How it ended. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;
}

export interface GrpcOptions {
  /** Where the .proto files are. Default: proto/. */
  readonly protos?: string;
  /** Messages are sent in gzip. */
  readonly gzip?: boolean;
}

const ours = fileURLToPath(new URL('../../proto', import.meta.url));

/** A connection to `http://host:port`, with TLS where `trust` says whom. Answers name fields as the .proto files do, enums by name. */
export function connectGrpc(
  url: string,
  trust = credentials.createInsecure(),
  { protos = ours, gzip = false }: GrpcOptions = {},
) {
  const options = gzip ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } : {};
  const client = new Client(new URL(url).host, trust, options);
  const find = (file: string, service: string, name: string): GrpcMethod => {
    const definition = loadSync(file, { includeDirs: [protos], keepCase: true, enums: String, longs: String })[service];
    const method = (definition as Record<string, GrpcMethod> | undefined)?.[name];
    if (method === undefined) throw new Error(`${file} has no ${service}.${name}`);
    return method;
  };
  return {
    close: () => client.close(),
    /** A unary method of a service in a .proto file; `path` calls another method with the same messages. */
    method(file: string, service: string, name: string, path?: string): GrpcCall {
      const method = find(file, service, name);
      return (message, headers = {}, deadlineMs = 5_000) =>
        new Promise((resolve) => {
          client.makeUnaryRequest(
            path ?? method.path,
            method.requestSerialize,
            method.responseDeserialize,
            message,
            metadataOf(headers),
            { deadline: Date.now() + deadlineMs },
            (error: ServiceError | null, answer?: object) =>
              resolve(
                error === null
                  ? { code: 0, message: answer as Record<string, unknown> }
                  : { code: error.code, details: error.details, metadata: error.metadata.getMap() },
              ),
          );
        });
    },
    /** Opens a stream of a method. */
    stream(file: string, service: string, name: string, headers: GrpcHeaders = {}): GrpcStream {
      const { path, requestSerialize, responseDeserialize } = find(file, service, name);
      const deadline = Date.now() + 60_000;
      return streamOf(
        client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadataOf(headers), { deadline }),
      );
    },
  };
}

function metadataOf(headers: GrpcHeaders): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return metadata;
}

function streamOf(stream: ClientDuplexStream<object, object>): GrpcStream {
  const answers = stream[Symbol.asyncIterator]() as AsyncIterator<Record<string, unknown>>;
  const ended = new Promise<StatusObject>((resolve) => stream.once('status', resolve));
  stream.on('error', () => undefined); // the status says the same
  return {
    async ask(message) {
      stream.write(message);
      try {
        const next = await answers.next();
        return next.done === true ? undefined : next.value;
      } catch {
        return undefined;
      }
    },
    send: (message) => void stream.write(message),
    end: () => void stream.end(),
    cancel: () => stream.cancel(),
    ended,
  };
}

interface GrpcMethod {
  readonly path: string;
  readonly requestSerialize: (message: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => object;
}
