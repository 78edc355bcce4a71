// A service with a server stream, made without a .proto file: none of ours streams yet, and the mount must carry one.
import { create, createFileRegistry } from '@bufbuild/protobuf';
import type { GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorProtoSchema, StringValueSchema, file_google_protobuf_wrappers } from '@bufbuild/protobuf/wkt';

export type NumbersService = GenService<{
  count: { methodKind: 'server_streaming'; input: typeof StringValueSchema; output: typeof StringValueSchema };
}>;

export function numbersService(): NumbersService {
  const type = '.google.protobuf.StringValue';
  const file = create(FileDescriptorProtoSchema, {
    name: 'test/numbers.proto',
    package: 'test.v1',
    syntax: 'proto3',
    dependency: ['google/protobuf/wrappers.proto'],
    service: [
      { name: 'Numbers', method: [{ name: 'Count', inputType: type, outputType: type, serverStreaming: true }] },
    ],
  });
  const registry = createFileRegistry(file, (name) =>
    name === 'google/protobuf/wrappers.proto' ? file_google_protobuf_wrappers.proto : undefined,
  );
  const service = registry.getService('test.v1.Numbers');
  if (service === undefined) throw new Error('no service in its own file');
  return service as NumbersService;
}
