// An index as bytes, to be kept for each tenant, repository and commit.
//
//   "CXRI", version (1 byte), CRC-32 of the body (4 bytes, little endian), body
//   body: texts of files, each once; terms; files, each with its chunks; lengths of the chunks; postings of text, definitions, names and
//   paths; the graph of the files
//
// Numbers are varints. A posting is the gap to the document before, doubled, plus 1 if a count follows; without one it is 1. Many short
// texts are one long one: that is read ten times as fast.
import { CortexError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type ByteReader, type ByteWriter, corrupt, crc32, createByteReader, createByteWriter } from './bytes.ts';
import type { Chunk, Definition } from './chunk.ts';
import type { Skipped } from './lines.ts';
import { type Graph, graphOf } from './graph.ts';
import { definitionKinds } from './outline.ts';
import type { Postings } from './postings.ts';
import type { IndexedFile, RepoIndex } from './repo-index.ts';

/** Of the format and of everything that decides what is in an index: a blob of another version is made anew. */
export const BLOB_VERSION = 3;

const MAGIC = [0x43, 0x58, 0x52, 0x49];
const HEAD = 9;

/** Append only. */
const skips: readonly (Skipped | undefined)[] = [undefined, 'binary', 'too_large', 'long_line'];

/** The same index gives the same bytes. */
export function encodeIndex(index: RepoIndex): Uint8Array {
  const texts = createTexts();
  const files = createByteWriter();
  files.number(index.files.length);
  for (const file of index.files) writeFile(files, file, texts.number);
  const out = createByteWriter();
  texts.write(out);
  // No term holds a line feed.
  out.number(index.terms.length);
  out.text(index.terms.join('\n'));
  out.append(files.bytes());
  for (const length of index.lengths) out.number(length);
  for (const postings of [index.text, index.definitions, index.names, index.paths]) writePostings(out, postings);
  writeGraph(out, index.graph ?? graphOf(index));
  const body = out.bytes();
  const blob = new Uint8Array(HEAD + body.length);
  blob.set(MAGIC);
  blob[4] = BLOB_VERSION;
  new DataView(blob.buffer).setUint32(5, crc32(body), true);
  blob.set(body, HEAD);
  return blob;
}

/** Numbers for texts, in the order in which they are met. */
function createTexts() {
  const numbers = new Map<string, number>();
  return {
    number(text: string): number {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, numbers.size);
      return numbers.size - 1;
    },
    write(out: ByteWriter): void {
      const all = [...numbers.keys()];
      out.number(all.length);
      for (const text of all) out.number(text.length);
      out.text(all.join(''));
    },
  };
}

type NumberOf = (text: string) => number;

function writeFile(out: ByteWriter, file: IndexedFile, number: NumberOf): void {
  out.number(number(file.path));
  out.number(number(file.language));
  out.number(file.bytes);
  out.hex(file.fingerprint);
  out.number(skips.indexOf(file.skipped));
  writeTexts(out, file.imports, number);
  out.number(file.chunks.length);
  for (const { from, to, start, end, scopes, definitions } of file.chunks) {
    out.number(to - from);
    out.number(end - start);
    writeTexts(out, scopes, number);
    out.number(definitions.length);
    for (const { name, kind, line } of definitions) {
      out.number(number(name));
      out.number(definitionKinds.indexOf(kind));
      out.number(line - from);
    }
  }
}

function writeTexts(out: ByteWriter, texts: readonly string[], number: NumberOf): void {
  out.number(texts.length);
  for (const text of texts) out.number(number(text));
}

function writeGraph(out: ByteWriter, { starts, targets, weights }: Graph): void {
  out.number(targets.length);
  for (let f = 0; f + 1 < starts.length; f++) {
    const end = starts[f + 1] as number;
    out.number(end - (starts[f] as number));
    let before = -1;
    for (let i = starts[f] as number; i < end; i++) {
      out.number(((targets[i] as number) - before - 1) * 2);
      before = targets[i] as number;
    }
  }
  out.floats(weights);
}

function writePostings(out: ByteWriter, { starts, docs, counts }: Postings): void {
  out.number(docs.length);
  for (let t = 0; t + 1 < starts.length; t++) {
    const end = starts[t + 1] as number;
    out.number(end - (starts[t] as number));
    let before = -1;
    for (let i = starts[t] as number; i < end; i++) {
      const doc = docs[i] as number;
      const count = counts[i] as number;
      out.number((doc - before - 1) * 2 + (count > 1 ? 1 : 0));
      if (count > 1) out.number(count);
      before = doc;
    }
  }
}

/** `failed_precondition` for another version, `data_loss` for a blob that is cut off, damaged or no blob. Never throws. */
export function decodeIndex(blob: Uint8Array): Result<RepoIndex> {
  try {
    return ok(decode(blob));
  } catch (error) {
    if (error instanceof CortexError) return err(error);
    throw error;
  }
}

function decode(blob: Uint8Array): RepoIndex {
  if (blob.length < HEAD || MAGIC.some((byte, i) => blob[i] !== byte)) throw corrupt('these bytes are none');
  if (blob[4] !== BLOB_VERSION) {
    throw new CortexError('failed_precondition', `repository index: version ${blob[4]} is not ${BLOB_VERSION}`);
  }
  const body = blob.subarray(HEAD);
  if (new DataView(blob.buffer, blob.byteOffset).getUint32(5, true) !== crc32(body)) {
    throw corrupt('its checksum does not fit: it is cut off or damaged');
  }
  const from = createByteReader(body);
  const textOf = readTexts(from);
  const terms = readTerms(from);
  const files = Array.from({ length: from.count() }, () => readFile(from, textOf));
  for (let f = 1; f < files.length; f++) {
    if ((files[f - 1] as IndexedFile).path >= (files[f] as IndexedFile).path)
      throw corrupt('its files are out of order');
  }
  const firstChunk = new Uint32Array(files.length + 1);
  for (const [f, file] of files.entries()) firstChunk[f + 1] = (firstChunk[f] as number) + file.chunks.length;
  const chunks = firstChunk[files.length] as number;
  const fileOf = new Uint32Array(chunks);
  for (let f = 0; f < files.length; f++) fileOf.fill(f, firstChunk[f], firstChunk[f + 1]);
  const lengths = new Uint32Array(chunks);
  for (let c = 0; c < chunks; c++) lengths[c] = from.number();
  const text = readPostings(from, terms.length, chunks);
  const definitions = readPostings(from, terms.length, chunks);
  const names = readPostings(from, terms.length, chunks);
  const paths = readPostings(from, terms.length, files.length);
  const graph = readGraph(from, files.length);
  from.end();
  return { terms, files, firstChunk, fileOf, lengths, text, definitions, names, paths, graph };
}

function readTerms(from: ByteReader): string[] {
  const count = from.number();
  const text = from.text();
  const terms = count === 0 && text === '' ? [] : text.split('\n');
  if (terms.length !== count) throw corrupt('its terms are not as many as it says');
  for (let t = 1; t < terms.length; t++) {
    if ((terms[t - 1] as string) >= (terms[t] as string)) throw corrupt('its terms are out of order');
  }
  return terms;
}

/** The text of a number. */
type TextOf = (number: number) => string;

function readTexts(from: ByteReader): TextOf {
  const lengths = Array.from({ length: from.count() }, () => from.number());
  const all = from.text();
  let at = 0;
  const texts = lengths.map((length) => all.slice(at, (at += length)));
  if (at !== all.length) throw corrupt('its texts are not as long as it says');
  return (number) => {
    const text = texts[number];
    if (text === undefined) throw corrupt('it names a text that there is not');
    return text;
  };
}

function readFile(from: ByteReader, textOf: TextOf): IndexedFile {
  const path = textOf(from.number());
  const language = textOf(from.number());
  const bytes = from.number();
  const fingerprint = from.hex(16);
  const skip = from.number();
  if (skip >= skips.length) throw corrupt('a file is left out for an unknown reason');
  const imports = readList(from, textOf);
  const chunks: Chunk[] = [];
  let line = 1;
  let start = 0;
  for (let left = from.count(); left > 0; left--) {
    const to = line + from.number();
    const end = start + from.number();
    const scopes = readList(from, textOf);
    const definitions = readDefinitions(from, textOf, line);
    chunks.push({ from: line, to, start, end, scopes, definitions });
    line = to + 1;
    start = end;
  }
  if (chunks.length > 0 && start !== bytes) throw corrupt('the chunks of a file are not the file');
  return { path, language, bytes, fingerprint, imports, chunks, skipped: skips[skip] };
}

function readDefinitions(from: ByteReader, textOf: TextOf, first: number): Definition[] {
  const definitions: Definition[] = [];
  for (let left = from.count(); left > 0; left--) {
    const name = textOf(from.number());
    const kind = definitionKinds[from.number()];
    if (kind === undefined) throw corrupt('a definition is of an unknown kind');
    definitions.push({ name, kind, line: first + from.number() });
  }
  return definitions;
}

const none: readonly string[] = [];

function readList(from: ByteReader, textOf: TextOf): readonly string[] {
  const count = from.count();
  if (count === 0) return none;
  const texts: string[] = [];
  for (let i = 0; i < count; i++) texts.push(textOf(from.number()));
  return texts;
}

/** Of each list so many numbers below the bound, `counts` beside them. */
function readPostings(from: ByteReader, lists: number, bound: number): Postings {
  const total = from.count();
  const starts = new Uint32Array(lists + 1);
  const docs = new Uint32Array(total);
  const counts = new Uint8Array(total);
  let n = 0;
  for (let t = 0; t < lists; t++) {
    const end = n + from.number();
    if (end > total) throw corrupt('a term is in more documents than there is room for');
    from.gaps(docs, counts, n, end, bound);
    n = end;
    starts[t + 1] = n;
  }
  if (n !== total) throw corrupt('its postings are not as many as it says');
  return { starts, docs, counts };
}

function readGraph(from: ByteReader, files: number): Graph {
  const { starts, docs: targets } = readPostings(from, files, files);
  return { starts, targets, weights: from.floats(targets.length) };
}
