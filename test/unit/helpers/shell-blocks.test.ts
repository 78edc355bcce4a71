import { expect, test } from 'vitest';
import { shellCommands } from '../../helpers/shell-blocks.ts';

const block = (...lines: string[]): string => ['words', '```sh', ...lines, '```', 'more'].join('\n');

test('takes the commands of all sh blocks, in order', () => {
  expect(shellCommands(`${block('one', '', 'two')}\n${block('three')}`)).toEqual(['one', 'two', 'three']);
  expect(shellCommands('npm start\n\n```json\n{"no": "command"}\n```\n')).toEqual([]);
});

test('leaves out comments, and nothing that only looks like one', () => {
  const lines = ['# about it', 'npm start    # everything', 'curl a#b', `say '# no' "# no" # yes`];
  expect(shellCommands(block(...lines))).toEqual(['npm start', 'curl a#b', `say '# no' "# no"`]);
});

test('joins lines that go on', () => {
  expect(shellCommands(block('curl a \\', '  -d b', `curl -d '{`, `}' c`))).toEqual([
    'curl a   -d b',
    `curl -d '{\n}' c`,
  ]);
});

test.each(['', 'bash', 'console'])('refuses a block of %j', (language) => {
  expect(() => shellCommands(`one\n\n\`\`\`${language}\nrm x\n\`\`\`\n`)).toThrow(/^line 3: /);
});
