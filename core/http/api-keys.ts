// API keys as data: how one is made, what is kept of it (a SHA-256, never the key), and the text of the file that lists them.
// Reading that file, and deciding what a role may do, is functions/http.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { fieldProblems } from '#core/field-problem.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { err, ok, type Result } from '#core/result.ts';

/** From least to most: reads; submits and cancels its own; cancels any of the tenant; acts for other tenants too. */
export const roles = ['viewer', 'submitter', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** One line of the file. */
export interface ApiKey {
  readonly id: string;
  /** Hex of the SHA-256 of the whole key text. */
  readonly sha256: string;
  readonly tenant: string;
  readonly principal: string;
  readonly role: Role;
  /** RFC 3339; for people. */
  readonly created_at?: string | undefined;
}

const principalPattern = /^[A-Za-z0-9._@+-]{1,128}$/;

/** Whether text may name a principal: an id, or an e-mail address. */
export function isPrincipal(text: string): boolean {
  return principalPattern.test(text);
}

const entry = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of letters, digits, ".", "_" and "-"'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  tenant: z
    .string()
    .refine(isSubjectToken, 'must be 1 to 128 of letters, digits, ".", "_" and "-", with no dot at an end'),
  principal: z.string().refine(isPrincipal, 'must be 1 to 128 of letters, digits, ".", "_", "@", "+" and "-"'),
  role: z.enum(roles, `must be one of ${roles.join(', ')}`),
  created_at: z.string().optional(),
});

/** The digest under which a key is known. */
export function keyDigest(key: string): string {
  return bytesToHex(sha256(utf8ToBytes(key)));
}

export interface NewKey {
  readonly tenant: string;
  readonly principal: string;
  readonly role: Role;
  /** Default: the first 12 digits of the digest. */
  readonly id?: string;
  readonly createdAt?: string;
}

/** A key from 32 random bytes: `key` is shown once and never stored, `entry` goes into the file. Throws RangeError for fewer bytes. */
export function generateApiKey(random: Uint8Array, options: NewKey): { readonly key: string; readonly entry: ApiKey } {
  if (random.length !== 32) throw new RangeError(`a key is made of 32 random bytes, not ${random.length}`);
  const digits = btoa(String.fromCharCode(...random));
  const key = `cortex_${digits.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
  const digest = keyDigest(key);
  const { tenant, principal, role, id = digest.slice(0, 12), createdAt } = options;
  const made = { id, sha256: digest, tenant, principal, role };
  return { key, entry: createdAt === undefined ? made : { ...made, created_at: createdAt } };
}

/** One line of the file, with its line end: appending it to a file of such lines adds the key. */
export function formatApiKey(apiKey: ApiKey): string {
  return `- ${JSON.stringify(apiKey)}\n`;
}

/**
 * Reads the file: a YAML or JSON list of keys, as `formatApiKey` writes it line by line. An empty file holds no keys.
 * The error lists every problem, each beginning with its place, such as `[3].role`; what stood there is left out.
 */
export function parseApiKeys(text: string): Result<readonly ApiKey[], readonly string[]> {
  const document = parseDocument(text, { uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const at = broken.linePos?.[0];
    return err([
      `${at === undefined ? 'the file' : `line ${at.line}, column ${at.col}`}: is neither YAML nor JSON (${broken.code})`,
    ]);
  }
  if (/^[^#"']*[:\s-][&*]\w/m.test(text)) return err(['the file: anchors and aliases have no use here']);
  const content: unknown = document.toJS() ?? [];
  if (!Array.isArray(content)) return err(['the file: must be a list of keys']);
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const [i, item] of content.entries()) {
    const parsed = entry.safeParse(item);
    if (!parsed.success) {
      for (const { field, detail } of fieldProblems(parsed.error))
        problems.push(`[${i}]${field === '' ? '' : `.${field}`}: ${detail}`);
      continue;
    }
    for (const [field, value] of [
      ['id', parsed.data.id],
      ['sha256', parsed.data.sha256],
    ] as const) {
      const before = seen.get(`${field}:${value}`);
      if (before !== undefined) problems.push(`[${i}].${field}: is the same as that of [${before}]`);
      else seen.set(`${field}:${value}`, i);
    }
    keys.push(parsed.data);
  }
  return problems.length === 0 ? ok(keys) : err(problems);
}
