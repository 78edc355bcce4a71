// What a command takes as JSON is counted to the byte, and cut texts are whole characters that come to the same text.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutAt, requestBytes } from '#core/redis/request-size.ts';

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.nat(0xffff).map((n) => String.fromCharCode(n)) }),
);

test('a command is as large as its JSON, or one comma larger', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(texts, fc.integer(), fc.double({ noNaN: true })), { minLength: 1 }), (parts) => {
      expect(requestBytes(parts)).toBe(bytesOf(parts.map(String)) + 1);
    }),
  );
});

test('every character from 0 to 65,535 by itself', () => {
  for (let unit = 0; unit <= 0xffff; unit++) {
    const text = String.fromCharCode(unit);
    expect(requestBytes([text]), unit.toString(16)).toBe(bytesOf([text]) + 1);
  }
});

test('parts have room, come to the whole, and split no character', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 6, max: 40 }), (text, room) => {
      const parts: string[] = [];
      for (let at = 0; at < text.length; ) {
        const end = cutAt(text, at, room);
        expect(end).toBeGreaterThan(at);
        parts.push(text.slice(at, end));
        at = end;
      }
      for (const part of parts) expect(bytesOf(part) - 2).toBeLessThanOrEqual(room);
      const encoded = parts.map((part) => Buffer.from(part));
      expect(Buffer.concat(encoded).equals(Buffer.from(text))).toBe(true);
    }),
  );
});
