// Our codec against a second implementation that shares no code with it: protobufjs, reading the .proto files itself.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DescMessage, JsonObject } from '@bufbuild/protobuf';
import { equals, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import * as protobufjs from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { files, fixtures } from './fixtures.ts';

const root = new protobufjs.Root();
for (const file of files) {
  const path = fileURLToPath(new URL(`../../../proto/${file.name}.proto`, import.meta.url));
  protobufjs.parse(readFileSync(path, 'utf8'), root, { keepCase: true });
}
const timestamp = protobufjs.common.get('google/protobuf/timestamp.proto');
if (timestamp?.nested !== undefined) root.addJSON(timestamp.nested);
root.resolveAll();

test('every message has a fixture, and every field is set in one of its fixtures', () => {
  const missing = files
    .flatMap((file) => file.messages)
    .flatMap((schema) => {
      const found = fixtures.find(([desc]) => desc === schema)?.[1];
      if (found === undefined) return [schema.typeName];
      const set = found.map((json) => reflect(schema, fromJson(schema, json)));
      return schema.fields.filter((field) => !set.some((message) => message.isSet(field))).map(String);
    });
  expect(missing).toEqual([]);
});

describe.each(
  fixtures.flatMap(([schema, all]) => all.map((json, i) => [`${schema.typeName} ${i}`, schema, json] as const)),
)('%s', (_name, schema, json) => {
  const other = root.lookupType(schema.typeName);

  test('what we write, the other reads', () => {
    const bytes = toBinary(schema, fromJson(schema, json));
    expect(asJson(other, other.decode(bytes))).toEqual(numbered(schema, json));
  });

  test('what the other writes, we read', () => {
    const bytes = other.encode(other.fromObject(numbered(schema, json))).finish();
    const read = fromBinary(schema, bytes);
    expect(read.$unknown).toBeUndefined();
    expect(equals(schema, read, fromJson(schema, json))).toBe(true);
  });
});

function asJson(type: protobufjs.Type, message: protobufjs.Message): object {
  return type.toObject(message, { longs: String, bytes: String });
}

/** protobuf JSON as protobufjs writes it: enums as numbers, times as seconds and nanoseconds. */
function numbered(schema: DescMessage, json: JsonObject): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const value = json[field.name];
    if (value === undefined) continue;
    const enumType = field.fieldKind === 'enum' ? field.enum : undefined;
    if (enumType !== undefined) out[field.name] = enumType.values.find((entry) => entry.name === value)?.number;
    else if (typeof value === 'string' && field.message?.typeName === 'google.protobuf.Timestamp') {
      const [, nanos = ''] = /\.(\d{9})Z$/.exec(value) ?? [];
      out[field.name] = { seconds: String(Math.floor(Date.parse(value) / 1000)), nanos: Number(nanos) };
    } else if (field.fieldKind === 'message') out[field.name] = numbered(field.message, value as JsonObject);
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      const { message } = field;
      out[field.name] = (value as JsonObject[]).map((item) => numbered(message, item));
    } else out[field.name] = value;
  }
  return out;
}
