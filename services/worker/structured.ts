// Asks a model for an answer in a given form: by a tool, which most models answer with, and in plain text where a model has no tools.
import { ModelError, type Answer, type ModelMessage, type Tool } from '#core/model/model.ts';
import type { Asking, Question } from './asking.ts';

export interface StructuredQuestion extends Omit<Question, 'tools'> {
  readonly tool: Tool;
  /** Appended to the last message when there is no tool to answer with: the same form, asked for in words. */
  readonly inWords: string;
}

export interface Structured {
  /** As Asking.ask; a model that refused the tool once is asked without it from then on. */
  ask(question: StructuredQuestion): Promise<Answer>;
}

/** For one attempt. */
export function structured(asked: Pick<Asking, 'ask'>): Structured {
  let hasTools = true;
  return {
    async ask({ tool, inWords, messages, ...rest }) {
      if (hasTools) {
        try {
          return await asked.ask({ ...rest, messages, tools: [tool] });
        } catch (error) {
          // Servers refuse a request with tools as wrong, in words of their own, where the model has none (llama3 at Ollama); if something
          // else is wrong with it, the next answer says so.
          if (!(error instanceof ModelError && error.code === 'invalid_argument')) throw error;
          hasTools = false;
        }
      }
      return asked.ask({ ...rest, messages: [...messages, { role: 'user', content: inWords } satisfies ModelMessage] });
    },
  };
}
