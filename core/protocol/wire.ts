// A strict look at the shape of protobuf bytes, before they are decoded: wire types as declared, lengths that nest, no groups, no
// message twice where one is due (of two, some implementations take the last and some both together).
// The decoder itself is lenient there (it reads a field whatever its wire type says), and another implementation is lenient
// in another way: without this, one packet could mean a harmless job to our gate and another one to the worker that
// receives the same bytes. Text encoding and values are left to the decoder.
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';

interface Shape {
  readonly name: string;
  readonly fields: ReadonlyMap<number, FieldShape>;
}

interface FieldShape {
  readonly name: string;
  readonly wire: number;
  /** A list of numbers may also come packed, as one length-delimited record. */
  readonly packable: boolean;
  readonly child: Shape | undefined;
  /** One message, not a list of them or a map. */
  readonly single?: boolean;
}

const varint = 0;
const bit64 = 1;
const lengthDelimited = 2;
const bit32 = 5;

const shapes = new WeakMap<DescMessage, Shape>();

/** What is wrong with the bytes as a message of this type, or undefined when they are well formed. */
export function wireProblem(schema: DescMessage, bytes: Uint8Array): string | undefined {
  return check(shapeOf(schema), bytes, 0, bytes.length);
}

function check(shape: Shape, bytes: Uint8Array, start: number, end: number): string | undefined {
  let pos = start;
  let singles: number[] | undefined;
  while (pos < end) {
    const tag = readVarint(bytes, pos, end, 5);
    if (tag === undefined) return `${shape.name} holds a broken tag`;
    pos = tag.next;
    const number = Math.floor(tag.value / 8);
    const wire = tag.value % 8;
    const field = shape.fields.get(number);
    if (number === 0 || number > 0x1fffffff) return `${shape.name} holds an impossible field number`;
    const expected = field === undefined || wire === field.wire || (field.packable && wire === lengthDelimited);
    if (!expected) return `${shape.name}.${field?.name} has wire type ${wire}`;

    if (wire === varint) {
      const skipped = readVarint(bytes, pos, end, 10);
      if (skipped === undefined) return `${shape.name} holds a broken number`;
      pos = skipped.next;
    } else if (wire === lengthDelimited) {
      const length = readVarint(bytes, pos, end, 5);
      if (length === undefined) return `${shape.name} holds a broken length`;
      pos = length.next + length.value;
      if (pos > end) return `${shape.name} ends inside a field`;
      if (field?.child !== undefined) {
        if (field.single === true) {
          if (singles?.includes(number) === true) return `${shape.name}.${field.name} is there twice`;
          (singles ??= []).push(number);
        }
        const problem = check(field.child, bytes, length.next, pos);
        if (problem !== undefined) return problem;
      }
    } else if (wire === bit64 || wire === bit32) {
      pos += wire === bit64 ? 8 : 4;
      if (pos > end) return `${shape.name} ends inside a field`;
    } else {
      return `${shape.name} holds wire type ${wire}`;
    }
  }
  return undefined;
}

/** Reads at most `limit` bytes. Values beyond 2^53 lose digits, which is well: only tags and lengths are used. */
function readVarint(
  bytes: Uint8Array,
  start: number,
  end: number,
  limit: number,
): { value: number; next: number } | undefined {
  let value = 0;
  let factor = 1;
  for (let pos = start; pos < end && pos < start + limit; pos++) {
    const byte = bytes[pos] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, next: pos + 1 };
    factor *= 128;
  }
  return undefined;
}

function shapeOf(schema: DescMessage): Shape {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const fields = new Map<number, FieldShape>();
  const shape: Shape = { name: schema.name, fields };
  // Registered before its fields are looked at, so that a type that contains itself ends.
  shapes.set(schema, shape);
  for (const field of schema.fields) fields.set(field.number, fieldShape(field));
  return shape;
}

function fieldShape(field: DescField): FieldShape {
  const { name } = field;
  switch (field.fieldKind) {
    case 'scalar':
      return { name, wire: wireOf(field.scalar), packable: false, child: undefined };
    case 'enum':
      return { name, wire: varint, packable: false, child: undefined };
    case 'message':
      return { name, wire: lengthDelimited, packable: false, child: shapeOf(field.message), single: true };
    case 'map':
      return { name, wire: lengthDelimited, packable: false, child: entryShape(field) };
    case 'list': {
      if (field.listKind === 'message')
        return { name, wire: lengthDelimited, packable: false, child: shapeOf(field.message) };
      const wire = field.listKind === 'enum' ? varint : wireOf(field.scalar);
      return { name, wire, packable: wire !== lengthDelimited, child: undefined };
    }
  }
}

function entryShape(field: DescField & { fieldKind: 'map' }): Shape {
  const key: FieldShape = { name: 'key', wire: wireOf(field.mapKey), packable: false, child: undefined };
  const child = field.mapKind === 'message' ? shapeOf(field.message) : undefined;
  const wire = field.mapKind === 'scalar' ? wireOf(field.scalar) : field.mapKind === 'enum' ? varint : lengthDelimited;
  return {
    name: field.name,
    fields: new Map([
      [1, key],
      [2, { name: 'value', wire, packable: false, child }],
    ]),
  };
}

function wireOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return lengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return bit32;
    default:
      return varint;
  }
}
