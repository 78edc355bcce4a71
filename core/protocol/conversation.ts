// What stands behind the pointer of a job.chat.advanced: what is asked, and what was said before.
import { z } from 'zod';
import { maxPromptLength } from './payloads.ts';

/** Messages of a conversation that one payload may bring. */
export const maxMessages = 200;

/** Characters of all of them together. */
export const maxConversationLength = 400_000;

const conversation = z
  .array(
    z.object({
      role: z.enum(['system', 'user', 'assistant']),
      content: z.string().min(1, 'is empty').max(maxPromptLength),
    }),
  )
  .max(maxMessages)
  .refine(
    (messages) => messages.reduce((sum, { content }) => sum + content.length, 0) <= maxConversationLength,
    `must be at most ${maxConversationLength} characters together`,
  );
export type ChatMessage = z.output<typeof conversation>[number];

const words = z.string().max(maxPromptLength).nullish();
const chatFields = z.object({
  prompt: words,
  message: words,
  messages: conversation.nullish(),
  /** Where the gateway puts what is not a prompt. */
  context: z.unknown().optional(),
});
const nested = z.object({ context: z.object({ messages: conversation.nullish() }) });

/**
 * A conversation: `prompt`, else `message`, else the last of `messages` (also in `context`), which must then be the user's; what stands
 * in `messages` before it is its history. A payload with none of these fields is the prompt as it is.
 */
export const chatAdvancedContext = z.unknown().transform((value, context) => {
  const fail = (error: z.ZodError): never => {
    for (const { path, message } of error.issues) context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  };
  const whole = (text: string) => {
    if (text.length <= maxPromptLength) return { prompt: text, history: [] as readonly ChatMessage[] };
    context.addIssue({ code: 'custom', message: `as a prompt it is longer than ${maxPromptLength} characters` });
    return z.NEVER;
  };
  if (value === null || value === undefined) return whole('');
  if (typeof value !== 'object' || Array.isArray(value))
    return whole(typeof value === 'string' ? value : JSON.stringify(value));
  const fields = chatFields.safeParse(value);
  if (!fields.success) return fail(fields.error);
  const { prompt, message, messages: own, context: beside } = fields.data;
  const inside = beside !== null && typeof beside === 'object' && 'messages' in beside;
  const found = inside ? nested.safeParse(value) : undefined;
  if (found?.success === false) return fail(found.error);
  const messages = own ?? found?.data.context.messages ?? [];
  const said = [prompt, message].find((text) => text !== null && text !== undefined && text.trim() !== '');
  if (said !== undefined && said !== null) return { prompt: said, history: messages };
  const last = messages.at(-1);
  if (last === undefined) return 'prompt' in value || 'message' in value ? whole('') : whole(JSON.stringify(value));
  if (last.role === 'user') return { prompt: last.content, history: messages.slice(0, -1) };
  const at = [...(own === null || own === undefined ? ['context'] : []), 'messages', messages.length - 1, 'role'];
  context.addIssue({
    code: 'custom',
    path: at,
    message: 'must be "user" in the last message, where there is no prompt',
  });
  return z.NEVER;
});
