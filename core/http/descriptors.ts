// What a server may tell of its own protocol, out of the descriptors of the services that it serves and of the files these need.
// Nothing else is known here, so nothing else can be told. Reflection asks; reflection.ts carries the questions.
import { type AnyDesc, clone, type DescExtension, type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

export interface Descriptors {
  /** Full names, sorted. */
  readonly services: readonly string[];
  /** A file by its name (`cortex/v1/gateway.proto`) as a serialized FileDescriptorProto, and after it all that it needs. */
  file(name: string): readonly Uint8Array[] | undefined;
  /** The same for the file that declares a full name: type, service, method, field, oneof, enum value, extension. */
  fileOf(symbol: string): readonly Uint8Array[] | undefined;
  /** The same for the file that declares extension `number` of a message type. */
  fileOfExtension(type: string, number: number): readonly Uint8Array[] | undefined;
  /** The numbers of all extensions of a message type, undefined for a type that is not known. */
  extensionsOf(type: string): readonly number[] | undefined;
}

export function describe(services: Iterable<DescService>): Descriptors {
  const served = new Set(services);
  const names: ReadonlySet<string> = new Set(Array.from(served, ({ typeName }) => typeName));
  const files = new Map<string, DescFile>();
  for (const { file } of served) for (const needed of withDependencies(file)) files.set(needed.proto.name, needed);

  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescExtension>>();
  for (const file of files.values()) {
    for (const desc of nestedTypes(file)) {
      if (desc.kind === 'service' && !names.has(desc.typeName)) continue;
      for (const name of namesOf(desc)) symbols.set(name, file);
      if (desc.kind === 'message' && !extensions.has(desc.typeName)) extensions.set(desc.typeName, new Map());
      if (desc.kind !== 'extension') continue;
      const known = extensions.get(desc.extendee.typeName) ?? new Map<number, DescExtension>();
      extensions.set(desc.extendee.typeName, known.set(desc.number, desc));
    }
  }

  const bytes = new Map<DescFile, readonly Uint8Array[]>();
  const told = (file: DescFile | undefined): readonly Uint8Array[] | undefined => {
    if (file === undefined) return undefined;
    const known = bytes.get(file);
    if (known !== undefined) return known;
    const all = withDependencies(file).map((each) => bytesOf(each, names));
    bytes.set(file, all);
    return all;
  };
  return {
    services: Array.from(names).toSorted(),
    file: (name) => told(files.get(name)),
    fileOf: (symbol) => told(symbols.get(symbol)),
    fileOfExtension: (type, number) => told(extensions.get(type)?.get(number)?.file),
    extensionsOf(type) {
      const known = extensions.get(type);
      return known && Array.from(known.keys()).toSorted((a, b) => a - b);
    },
  };
}

/** A file without the services that are in it and not on this server. */
function bytesOf({ proto }: DescFile, served: ReadonlySet<string>): Uint8Array {
  const told = clone(FileDescriptorProtoSchema, proto);
  told.service = told.service.filter(({ name }) => served.has(told.package === '' ? name : `${told.package}.${name}`));
  return toBinary(FileDescriptorProtoSchema, told);
}

/** The file first, then what it imports, near or far, each once. */
function withDependencies(file: DescFile): DescFile[] {
  const found = new Set([file]);
  // A set is walked to its end, with what joins it on the way.
  for (const each of found) for (const dependency of each.dependencies) found.add(dependency);
  return [...found];
}

/** A type's full name and those of its parts. Values of an enum are named beside it, not inside. */
function namesOf(desc: AnyDesc): string[] {
  switch (desc.kind) {
    case 'message': {
      // The entries of a map are messages too, which the registry passes over.
      const entries = desc.proto.nestedType.filter(({ options }) => options?.mapEntry === true);
      const inEntries = entries.flatMap(({ name, field }) => [name, ...field.map((part) => `${name}.${part.name}`)]);
      const parts = [...desc.fields, ...desc.oneofs].map(({ name }) => name);
      return [desc.typeName, ...[...parts, ...inEntries].map((name) => `${desc.typeName}.${name}`)];
    }
    case 'enum': {
      const scope = desc.typeName.slice(0, desc.typeName.lastIndexOf('.') + 1);
      return [desc.typeName, ...desc.values.map(({ name }) => scope + name)];
    }
    case 'service':
      return [desc.typeName, ...desc.methods.map(({ name }) => `${desc.typeName}.${name}`)];
    case 'extension':
      return [desc.typeName];
    default:
      return [];
  }
}
