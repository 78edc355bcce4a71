// What goes along with a question: the newest exchanges that fit, in order, never half of one.
import { expect, test } from 'vitest';
import { createConversation } from '../../../local/cli/chat/conversation.ts';

const contents = (conversation: ReturnType<typeof createConversation>, prompt = ''): string[] =>
  conversation.before(prompt).map(({ content }) => content);

test('all of it in order while it fits, by turns of user and assistant', () => {
  const conversation = createConversation(100);
  expect(contents(conversation)).toEqual([]);
  conversation.add('q1', 'a1');
  conversation.add('q2', 'a2');
  expect(conversation.before('q3').map(({ role, content }) => [role, content])).toEqual([
    ['user', 'q1'],
    ['assistant', 'a1'],
    ['user', 'q2'],
    ['assistant', 'a2'],
  ]);
});

test('the oldest goes first, the prompt counts, and what does not fit at all does not go', () => {
  const conversation = createConversation(10);
  conversation.add('q1', 'a1');
  conversation.add('q2', 'a2');
  expect(contents(conversation, 'xx')).toEqual(['q1', 'a1', 'q2', 'a2']);
  expect(contents(conversation, 'xxx')).toEqual(['q2', 'a2']);
  expect(contents(conversation, 'x'.repeat(11))).toEqual([]);
  // A long prompt is no reason to forget.
  expect(contents(conversation)).toEqual(['q1', 'a1', 'q2', 'a2']);
  conversation.add('q3', 'a3');
  expect(contents(conversation)).toEqual(['q2', 'a2', 'q3', 'a3']);
  conversation.add('a very long question', 'b');
  expect(contents(conversation)).toEqual([]);
});

test('no more messages than a payload may bring', () => {
  const conversation = createConversation(100_000);
  for (let i = 0; i < 300; i++) conversation.add(`q${i}`, `a${i}`);
  const sent = contents(conversation);
  expect([sent.length, sent.at(0), sent.at(-1)]).toEqual([198, 'q201', 'a299']);
});
