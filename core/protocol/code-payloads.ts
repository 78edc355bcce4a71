// Payloads of job.code.llm: a file and what is to become of it; a patch that applies to that file. Field names are the original's; what
// we add is optional or comes with every result.
import { z } from 'zod';
import { filePathProblem } from '#core/protocol/file-path.ts';
import { modelUsage, spreadContext, windowSummary } from '#core/protocol/payloads.ts';

/** UTF-16 units of one file. Larger ones could not be answered: a result holds the file and its patch. */
export const maxCodeLength = 3_000_000;
export const maxInstructionLength = 20_000;

/** A text that is one: no NUL, which git and a terminal would cut at, and no half of a character, which would come back as another. */
const plainText = z
  .string()
  .refine((text) => !text.includes('\0'), 'holds a NUL character')
  .refine((text) => text.isWellFormed(), 'holds half of a character (a lone surrogate)');

const codeFields = z.object({
  file_path: z.string().refine((path) => filePathProblem(path) === undefined, {
    error: ({ input }) => filePathProblem(String(input)),
  }),
  code_snippet: plainText.max(maxCodeLength),
  instruction: plainText.max(maxInstructionLength).refine((text) => text.trim() !== '', 'is empty'),
});

/**
 * The context of `job.code.llm`. Other keys are let through unread, `prompt` too: it shadowed the code in the original. What comes
 * through POST /api/v1/jobs has the fields in its `context`; a field beside that one wins.
 */
export const codeContext = z.preprocess(spreadContext, codeFields);
export type CodeContext = z.output<typeof codeFields>;

export const severities = ['low', 'medium', 'high'] as const;

/** What the model says about the code. */
export const codeFinding = z.object({ severity: z.enum(severities), description: z.string().max(2000) });
export type CodeFinding = z.output<typeof codeFinding>;

/** What stood around the file, or why nothing did. */
const codeWindow = z.union([windowSummary, z.object({ memory_id: z.string(), error: z.string() })]);
export type CodeWindow = z.output<typeof codeWindow>;

export const codeResult = z.object({
  file_path: z.string(),
  original_code: z.string(),
  instruction: z.string(),
  /** `git apply` takes it as it is, where the file at `file_path` is `original_code`. */
  patch: z.object({ type: z.literal('unified_diff'), content: z.string() }),
  /** Which model answered. */
  model: z.string(),
  finish: z.enum(['stop', 'length', 'tool_calls', 'filtered', 'other']).optional(),
  /** Of all requests together. */
  usage: modelUsage.optional(),
  /** The first answer was of no use, and the model gave a second one when it was told why. */
  repaired: z.boolean(),
  summary: z.string().max(4000).optional(),
  analysis: z.array(codeFinding).max(50).optional(),
  /** Where a memory was spoken with. */
  context: codeWindow.optional(),
});
export type CodeResult = z.output<typeof codeResult>;
