// What a model's answer proposes: a diff or a whole file, wherever in the answer it stands, and what the model says about it.
import { z } from 'zod';
import type { Answer } from '#core/model/model.ts';
import { type CodeFinding, codeFinding, maxCodeLength } from '#core/protocol/code-payloads.ts';
import { err, ok, type Result } from '#core/result.ts';
import { blocksOf } from './fences.ts';
import type { CodeFile } from './patch.ts';
import { knownLines, looksWhole } from './whole-file.ts';

export const toolName = 'submit_patch';

export interface Proposal {
  readonly diff?: string;
  /** `isSaid`: the model itself calls it the whole file. */
  readonly file?: { readonly content: string; readonly isSaid: boolean };
  readonly summary?: string;
  readonly analysis?: readonly CodeFinding[];
}

/** The proposal for this file; or what is wrong, in words for the model. */
export function proposalOf(answer: Answer, file: CodeFile): Result<Proposal, string> {
  if (answer.finish === 'length')
    return err('the answer reached its bound of tokens and is not whole; make it shorter');
  if (answer.finish === 'filtered') return err('the answer was filtered and is not whole');
  const calls = answer.toolCalls.filter(({ name }) => name === toolName);
  if (calls.length > 1) return err(`${toolName} was called ${calls.length} times; call it once, with the whole patch`);
  const [call] = calls;
  if (call !== undefined) return fromFields(call.input) ?? err(`${toolName} was called without a diff or a content`);
  return fromText(answer.text, file);
}

/** More blocks than this are no answer, and each is looked at more than once. */
const mostBlocks = 50;

function fromText(text: string, { path, original }: CodeFile): Result<Proposal, string> {
  // A file that is JSON itself, or is to become it, may be what JSON in the answer is, too.
  const isJson = /\.json[c5]?$/i.test(path) || typeof parsedJson(original.trim()) === 'object';
  const whole = fromJson(text, isJson);
  if (whole !== undefined) return whole;
  const blocks = blocksOf(text);
  if (blocks.length > mostBlocks) return err(`there are ${blocks.length} blocks in the answer; give one`);
  for (const { body, open } of blocks) {
    const said = open || isJson ? undefined : fromJson(body, isJson);
    if (said !== undefined) return said;
  }
  if (blocks.some(({ open }) => open)) return err('a block of code in the answer is not closed');
  const known = knownLines(original);
  const areDiffs = blocks.map(
    ({ language, body }) => isDiffWord(language) || (hasDiff(body) && !looksWhole(known, body)),
  );
  if (areDiffs.includes(true)) {
    // A bare fence among the lines of a diff ends its block, and the rest of it would be lost.
    const from = areDiffs.indexOf(true);
    if (blocks.some(({ language }, i) => i > from && language === '' && areDiffs[i] === false))
      return err('another block follows the diff, which may be a part of it; give one block with the diff alone');
    // Several ones may be parts of one patch, or one that was thought better of and the one in its place.
    const [diff = '', ...others] = blocks.flatMap(({ body }, i) => (areDiffs[i] === true ? [body] : []));
    return others.length === 0 ? ok({ diff }) : err(severalDiffs(others.length + 1));
  }
  const [block, other] = blocks;
  if (other !== undefined) return err('there are several blocks of code, and none of them is a diff');
  if (block !== undefined) return ok({ file: { content: block.body, isSaid: false } });
  if (looksWhole(known, text)) return ok({ file: { content: text, isSaid: false } });
  return hasDiff(text) ? ok({ diff: fromFirstHead(text) }) : err('there is no patch in the answer');
}

const severalDiffs = (count: number): string => `there are ${count} blocks with a diff; give the whole change in one`;

const fieldNames = new Set([
  'diff',
  'patch',
  'unified_diff',
  'content',
  'summary',
  'analysis',
  'file_path',
  'explanation',
]);

/** A proposal that is written as JSON, or a call of the tool that is: some models have tools and write the call as a text. */
function fromJson(text: string, isJsonFile: boolean): Result<Proposal, string> | undefined {
  const value = parsedJson(text.trim());
  const call = z
    .object({ name: z.literal(toolName), arguments: z.unknown().optional(), parameters: z.unknown().optional() })
    .safeParse(value).data;
  if (call !== undefined) return fromFields(call.arguments ?? call.parameters);
  if (isJsonFile || typeof value !== 'object' || value === null) return undefined;
  return Object.keys(value).every((key) => fieldNames.has(key)) ? fromFields(value) : undefined;
}

/** undefined: it is no object that proposes anything. */
function fromFields(value: unknown): Result<Proposal, string> | undefined {
  const fields = z.looseObject({}).safeParse(typeof value === 'string' ? parsedJson(value) : value).data;
  if (fields === undefined) return undefined;
  const diff = textIn(fields['diff']) ?? textIn(fields['patch']) ?? textIn(fields['unified_diff']);
  const content = textIn(fields['content']);
  const about = { ...summaryIn(fields['summary']), ...analysisIn(fields['analysis']) };
  if (Math.max(diff?.length ?? 0, content?.length ?? 0) > maxCodeLength)
    return err(`it is longer than ${maxCodeLength} characters; give a diff with a few lines around each change`);
  if (diff !== undefined && diff.trim() !== '') {
    if (!diff.isWellFormed() || diff.includes('\0')) return err('the diff holds characters that are no text');
    // Some put a fence around it even here.
    const isFenced = /^\s*(`{3}|~{3})/.test(diff);
    const [block, ...others] = isFenced ? blocksOf(diff) : [];
    if (others.length > 0) return err(severalDiffs(others.length + 1));
    return ok({ ...about, diff: block === undefined || block.open ? diff : block.body });
  }
  if (content !== undefined && content !== '') return ok({ ...about, file: { content, isSaid: true } });
  if (diff === undefined && content === undefined) return undefined;
  return err('the patch is empty');
}

/** A text, or the one inside of `{type, content}`. */
function textIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return z.object({ content: z.string() }).safeParse(value).data?.content;
}

function summaryIn(value: unknown): Pick<Proposal, 'summary'> {
  if (typeof value !== 'string' || value.trim() === '') return {};
  return { summary: cut(value.trim(), 4000) };
}

/** Those entries that are some; another word for a severity is not guessed at, but for the one above `high`. */
function analysisIn(value: unknown): Pick<Proposal, 'analysis'> {
  if (!Array.isArray(value)) return {};
  const entries = value.slice(0, 50).flatMap((entry: unknown): CodeFinding[] => {
    const { severity, description } =
      z.object({ severity: z.string(), description: z.string() }).safeParse(entry).data ?? {};
    const level = severity?.trim().toLowerCase();
    const read = codeFinding.safeParse({
      severity: level === 'critical' ? 'high' : level,
      description: cut(description?.trim() ?? '', 2000),
    });
    return read.success && read.data.description !== '' ? [read.data] : [];
  });
  return entries.length === 0 ? {} : { analysis: entries };
}

/** Cut at a whole character. */
const cut = (text: string, most: number): string => text.slice(0, most).toWellFormed();

function parsedJson(text: string): unknown {
  if (!/^[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const isDiffWord = (word: string): boolean => /^(diff|patch|udiff|unified_diff)$/.test(word);

const head = /^[ \t]*(diff --git \S|--- \S.*\n[ \t]*\+\+\+ \S|@@.*@@|@@[ \t]*\r?$|\*\*\* (Begin Patch|Update File: ))/m;
const hasDiff = (text: string): boolean => head.test(text);

/** Words may stand before a diff. */
function fromFirstHead(text: string): string {
  const at = head.exec(text)?.index ?? 0;
  return text.slice(at);
}
