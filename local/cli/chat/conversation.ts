// What was said so far, as it goes along with the next question: the newest exchanges that fit, whole ones only.
export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

export interface Conversation {
  /** What goes along with that prompt, oldest first. */
  before(prompt: string): readonly Message[];
  add(prompt: string, answer: string): void;
}

/** Messages that a payload may bring; one is the prompt's. */
const mostMessages = 198;

/** `mostLength`: characters of history and prompt together. */
export function createConversation(mostLength: number): Conversation {
  let exchanges: readonly (readonly [Message, Message])[] = [];
  const lengthOf = (of: typeof exchanges): number => of.flat().reduce((sum, { content }) => sum + content.length, 0);
  const fitting = (room: number): typeof exchanges => {
    let from = Math.max(0, exchanges.length - mostMessages / 2);
    while (from < exchanges.length && lengthOf(exchanges.slice(from)) > room) from++;
    return exchanges.slice(from);
  };
  return {
    before: (prompt) => fitting(mostLength - prompt.length).flat(),
    add(prompt, answer) {
      exchanges = [
        ...exchanges,
        [
          { role: 'user', content: prompt },
          { role: 'assistant', content: answer },
        ],
      ];
      exchanges = fitting(mostLength);
    },
  };
}
