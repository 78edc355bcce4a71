// Which models there are, for chats and for embeddings, as config/models.yaml and OLLAMA_URL say. Read strictly: a slip would send prompts
// to the wrong place, or money after them. Keys are never in the file: an entry names the variable that holds its key.
import { z } from 'zod';
import { problemLines } from '#core/field-problem.ts';
import { err, ok, type Result } from '#core/result.ts';

export const providers = ['openai-compatible', 'anthropic', 'ollama'] as const;
export type Provider = (typeof providers)[number];

/** US dollars for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

export interface ModelEntry {
  readonly name: string;
  readonly provider: Provider;
  /** As the provider names it. */
  readonly model: string;
  readonly baseUrl: string;
  /** The variable that holds the key. */
  readonly keyEnv: string | undefined;
  /** Tokens of prompt and answer together. */
  readonly context: number;
  /** Tokens of one answer at most. */
  readonly maxOutput: number;
  /** Unknown: costs are not told. */
  readonly price: Price | undefined;
  /** Asked in this order when it fails. */
  readonly fallbacks: readonly string[];
  /** Requests at once. */
  readonly concurrency: number;
  /** How long it may say nothing. */
  readonly patienceMs: number;
}

export interface ModelsConfig {
  readonly entries: ReadonlyMap<string, ModelEntry>;
  /** The one that answers; undefined: none is configured. */
  readonly default: string | undefined;
}

/** Numbers of the longest vector that is taken. */
export const maxDimensions = 8_192;

/** The model that compares meanings for the context engine. */
export interface EmbeddingsEntry {
  /** As the provider names it. */
  readonly model: string;
  readonly baseUrl: string;
  /** The variable that holds the key. */
  readonly keyEnv: string | undefined;
  /** Numbers of a vector that are asked for; undefined: what the model gives by itself. */
  readonly dimensions: number | undefined;
  /** Of one text; what is longer is cut. */
  readonly maxCharacters: number;
}

export interface OllamaPlace {
  readonly url: string;
  readonly model: string;
}

/** The name of the model that OLLAMA_URL and OLLAMA_MODEL describe. */
export const ollamaName = 'ollama';

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be 1 to 64 of a-z, 0-9, ".", "_" and "-"');

/** What a URL of a model's server must not hold: a path is put behind it, and it is shown in errors. */
export function baseUrlProblems(text: string): readonly string[] {
  const { username = '', password = '' } = URL.parse(text) ?? {};
  return [
    ...(username + password === '' ? [] : ['must hold no user or password: name key_env']),
    ...(text.includes('?') ? ['must hold no query (?)'] : []),
    ...(text.includes('#') ? ['must hold no fragment (#)'] : []),
  ];
}

const baseUrl = z
  .string()
  .refine(
    (text) => /^https?:\/\//.test(text) && URL.canParse(text),
    'must be a URL that begins with http:// or https://',
  )
  .superRefine((text, { addIssue }) => {
    for (const message of baseUrlProblems(text)) addIssue(message);
  })
  .transform((text) => text.replace(/\/+$/, ''));
const variable = z.string().regex(/^[A-Z][A-Z0-9_]{0,99}$/, 'must be the name of a variable, such as MODEL_KEY');
const dollars = z.number().min(0).max(1_000_000);

/** fetch gives up a server that sends nothing for 300 s by itself, and it would look as if that could not be reached. */
const mostPatienceSeconds = 290;

const entry = z.strictObject({
  provider: z.enum(providers, `must be one of ${providers.join(', ')}`),
  model: z.string().min(1).max(200),
  base_url: baseUrl,
  key_env: variable.optional(),
  context: z.int().min(256).max(100_000_000),
  max_output: z.int().min(1).max(1_000_000).default(1_024),
  price: z.strictObject({ input: dollars, output: dollars }).optional(),
  fallbacks: z.array(name).default([]),
  concurrency: z.int().min(1).max(1_024).default(4),
  patience_seconds: z.number().min(1).max(mostPatienceSeconds).default(45),
});
/** Words that stand in the place of a model's name: one with such a name could not be told from what they mean. */
const taken = [
  ['echo', 'an answer without a model'],
  ['other', 'the sum of models that are too many'],
] as const;

const embeddings = z
  .strictObject({
    model: z.string().min(1).max(200),
    base_url: baseUrl,
    key_env: variable.optional(),
    dimensions: z.int().min(1).max(maxDimensions).optional(),
    max_characters: z.int().min(100).max(100_000).default(6_000),
  })
  .nullish();

const document = z.strictObject({
  default: name.nullish(),
  models: z.record(name, entry).nullish(),
  embeddings,
});

/** The models are read, and told about, by those who ask them. */
const embeddingsDocument = z.strictObject({
  default: z.unknown().optional(),
  models: z.unknown().optional(),
  embeddings,
});

/** The section `embeddings` of the object that the YAML holds; undefined: there is none. The problems are all there are. */
export function parseEmbeddings(
  value: unknown,
  isSet: (variable: string) => boolean,
): Result<EmbeddingsEntry | undefined, readonly string[]> {
  const parsed = embeddingsDocument.safeParse(value);
  if (!parsed.success) return err(problemLines(parsed.error));
  const one = parsed.data.embeddings ?? undefined;
  if (one === undefined) return ok(undefined);
  const { key_env: keyEnv } = one;
  if (keyEnv !== undefined && !isSet(keyEnv)) return err([`embeddings.key_env: ${keyEnv} is not set`]);
  return ok({
    model: one.model,
    baseUrl: one.base_url,
    keyEnv,
    dimensions: one.dimensions,
    maxCharacters: one.max_characters,
  });
}

/**
 * Reads the object that the YAML holds, together with the model of OLLAMA_URL if there is one: it answers unless the file names a
 * default. `isSet` tells whether a variable has a value. The problems are all there are.
 */
export function parseModels(
  value: unknown,
  ollama: OllamaPlace | undefined,
  isSet: (variable: string) => boolean,
): Result<ModelsConfig, readonly string[]> {
  const parsed = document.safeParse(value);
  if (!parsed.success) return err(problemLines(parsed.error));
  const entries = new Map<string, ModelEntry>();
  for (const [key, one] of Object.entries(parsed.data.models ?? {})) {
    entries.set(key, {
      name: key,
      provider: one.provider,
      model: one.model,
      baseUrl: one.base_url,
      keyEnv: one.key_env,
      context: one.context,
      maxOutput: one.max_output,
      price: one.price,
      fallbacks: one.fallbacks,
      concurrency: one.concurrency,
      patienceMs: one.patience_seconds * 1_000,
    });
  }
  const problems: string[] = [];
  if (ollama !== undefined) {
    if (entries.has(ollamaName))
      problems.push(`models.${ollamaName}: is the model of OLLAMA_URL; unset that or name this one otherwise`);
    else entries.set(ollamaName, ollamaEntry(ollama));
  }
  const first = parsed.data.default ?? (ollama === undefined ? undefined : ollamaName);
  if (first === undefined && entries.size > 0) problems.push('default: must name one of the models');
  if (first !== undefined && !entries.has(first)) problems.push(`default: there is no model ${first}`);
  for (const [word, what] of taken) {
    if (entries.has(word)) problems.push(`models.${word}: is the name of ${what}; name it otherwise`);
  }
  for (const one of entries.values()) problems.push(...entryProblems(one, entries, isSet));
  return problems.length > 0 ? err(problems) : ok({ entries, default: first });
}

function entryProblems(
  one: ModelEntry,
  entries: ReadonlyMap<string, ModelEntry>,
  isSet: (variable: string) => boolean,
): string[] {
  const at = `models.${one.name}`;
  const problems = one.fallbacks.flatMap((other, i) => {
    if (other === one.name) return [`${at}.fallbacks[${i}]: names the model itself`];
    if (one.fallbacks.indexOf(other) < i) return [`${at}.fallbacks[${i}]: names ${other} a second time`];
    return entries.has(other) ? [] : [`${at}.fallbacks[${i}]: there is no model ${other}`];
  });
  if (one.provider === 'anthropic' && one.keyEnv === undefined) problems.push(`${at}.key_env: must name a variable`);
  if (one.keyEnv !== undefined && !isSet(one.keyEnv)) problems.push(`${at}.key_env: ${one.keyEnv} is not set`);
  if (one.maxOutput >= one.context) problems.push(`${at}.max_output: must be less than context`);
  return problems;
}

/** On a machine of one's own: free, and patient enough for a model that is loaded first. */
function ollamaEntry({ url, model }: OllamaPlace): ModelEntry {
  return {
    name: ollamaName,
    provider: 'ollama',
    model,
    baseUrl: url,
    keyEnv: undefined,
    context: 8_192,
    maxOutput: 1_024,
    price: { input: 0, output: 0 },
    fallbacks: [],
    concurrency: 2,
    patienceMs: 150_000,
  };
}
