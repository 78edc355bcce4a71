// The wire as the outside has it against the wire as our .proto files have it: names, numbers, types, method paths.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DescField } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { file_grpc_reflection_v1_reflection } from '#proto/grpc/reflection/v1/reflection_pb.ts';
import { file_grpc_reflection_v1alpha_reflection } from '#proto/grpc/reflection/v1alpha/reflection_pb.ts';
import { enums, messages, methods } from './contract-table.ts';
import { files as own } from './fixtures.ts';

/** With gRPC's reflection, which a second implementation speaks in test/unit/http/reflection.test.ts. */
const files = [...own, file_grpc_reflection_v1_reflection, file_grpc_reflection_v1alpha_reflection];

test('every .proto file is looked at', () => {
  const root = fileURLToPath(new URL('../../../proto', import.meta.url));
  const present = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'));
  expect(files.map((file) => `${file.name}.proto`).sort()).toEqual(present.sort());
});

test('every message has the fields of the contract, and no others', () => {
  const ours = Object.fromEntries(
    files.flatMap((file) => file.messages).map((message) => [message.typeName, message.fields.map(describe).sort()]),
  );
  const theirs = Object.fromEntries(Object.entries(messages).map(([name, fields]) => [name, parse(fields).sort()]));
  expect(ours).toEqual(theirs);
});

test('every enum has the names and numbers of the contract', () => {
  const ours = Object.fromEntries(
    files
      .flatMap((file) => file.enums)
      .map((desc) => [desc.typeName, desc.values.map((value) => `${value.name} ${value.number}`)]),
  );
  const theirs = Object.fromEntries(
    Object.entries(enums).map(([name, [prefix, values]]) => [
      name,
      values.split(' ').map((value, i) => `${prefix}${value} ${i}`),
    ]),
  );
  expect(ours).toEqual(theirs);
});

test('every method answers under the path that clients call', () => {
  const ours = Object.fromEntries(
    files
      .flatMap((file) => file.services)
      .flatMap((service) => service.methods)
      .map((method) => [
        `/${method.parent.typeName}/${method.name}`,
        `${method.input.typeName} ${method.output.typeName}`,
      ]),
  );
  expect(ours).toEqual(methods);
});

test('the payloads of a packet exclude each other', () => {
  const oneof = files
    .flatMap((file) => file.messages)
    .find((message) => message.typeName.endsWith('BusPacket'))?.oneofs;
  expect(oneof?.map((one) => [one.name, one.fields.map((field) => field.number)])).toEqual([
    ['payload', [10, 11, 12, 13, 15, 16]],
  ]);
});

function parse(fields: string): string[] {
  if (fields === '') return [];
  return fields.split(',').map((field) => {
    const [name, number, type = 'string'] = field.trim().split(/\s+/);
    return `${name} ${number} ${type}`;
  });
}

function describe(field: DescField): string {
  return `${field.name} ${field.number} ${typeOf(field)}`;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarName(field.scalar);
    case 'enum':
      return field.enum.typeName;
    case 'message':
      return field.message.typeName;
    case 'list':
      return `${field.listKind === 'message' ? field.message.typeName : field.listKind === 'enum' ? field.enum.typeName : scalarName(field.scalar)}[]`;
    case 'map':
      return field.mapKey === ScalarType.STRING && field.mapKind === 'scalar' && field.scalar === ScalarType.STRING
        ? '{}'
        : 'another map';
  }
}

function scalarName(scalar: ScalarType): string {
  return (ScalarType[scalar] ?? '?').toLowerCase();
}
