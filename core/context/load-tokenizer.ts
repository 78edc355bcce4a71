// The tables of the encodings come from a package, 2.4 and 1.2 MB of source, and only when somebody counts for a model that needs them.
// Each is read once in a process, and counts of texts are kept for all models together.
import { createCountCache } from './count-cache.ts';
import { encodingOf } from './encoding-of.ts';
import { createEncoding, type Encoding, type EncodingName, type RankTable } from './encoding.ts';
import { createTokenizer, type Tokenizer } from './tokens.ts';

const tables: Readonly<Record<EncodingName, () => Promise<{ readonly default: RankTable }>>> = {
  o200k_base: () => import('gpt-tokenizer/bpeRanks/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/bpeRanks/cl100k_base'),
};

const loaded = new Map<EncodingName, Promise<Encoding>>();
const cache = createCountCache();

/** The encoding of that name; the same one each time. */
export function loadEncoding(name: EncodingName): Promise<Encoding> {
  let encoding = loaded.get(name);
  if (encoding === undefined) {
    encoding = tables[name]().then(({ default: table }) => createEncoding(name, table));
    loaded.set(name, encoding);
  }
  return encoding;
}

/** Counts for a model, by its provider's name for it: exact where its encoding is known, estimated by both others where not. */
export async function loadTokenizer(model: string): Promise<Tokenizer> {
  const known = encodingOf(model);
  if (known !== undefined) return createTokenizer(model, [await loadEncoding(known)], cache);
  const both = await Promise.all([loadEncoding('o200k_base'), loadEncoding('cl100k_base')]);
  return createTokenizer(model, both, cache);
}
