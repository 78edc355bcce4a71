// The commands that a Markdown file tells people to type: those of its `sh` blocks, without comments. It knows quotes, comments and
// lines that go on, and no more of the shell.

/** Languages of blocks that hold no commands. A block of any other language than these and `sh` is refused. */
const notCommands = new Set(['mermaid', 'json', 'yaml', 'ts', 'text']);

/** Throws an Error that names the line of a block whose language says neither that it is typed nor that it is not. */
export function shellCommands(markdown: string): string[] {
  const commands: string[] = [];
  for (const { groups, index } of markdown.matchAll(/^```(?<language>.*)\n(?<body>[^]*?)^```$/gm)) {
    const { language = '', body = '' } = groups ?? {};
    if (language === 'sh') commands.push(...split(body));
    else if (!notCommands.has(language)) {
      const line = markdown.slice(0, index).split('\n').length;
      throw new Error(`line ${line}: a block of "${language}": is that typed (then it is sh) or not?`);
    }
  }
  return commands;
}

function split(script: string): string[] {
  const commands: string[] = [];
  let command = '';
  let quote = '';
  for (let at = 0; at < script.length; at++) {
    const letter = script[at] ?? '';
    if (quote !== '') {
      if (letter === quote) quote = '';
      command += letter;
    } else if (letter === '\\' && script[at + 1] === '\n') at++;
    else if (letter === '#' && /(^|\s)$/.test(command)) at = script.indexOf('\n', at) - 1;
    else if (letter === '\n') {
      commands.push(command.trim());
      command = '';
    } else {
      if (letter === "'" || letter === '"') quote = letter;
      command += letter;
    }
  }
  return commands.filter((one) => one !== '');
}
