// A configuration file in YAML as a typed value, or every problem as a line that begins with the file. Finding it is config-file.node.ts.
import { parseDocument } from 'yaml';
import { err, ok, type Result } from '#core/result.ts';

/** A file as it was found: its text, undefined when there is none, or why it cannot be read. */
export interface FoundFile {
  readonly path: string;
  readonly text: string | undefined;
  readonly fault?: string;
}

/** Reads the file that `variable` names. `absent` stands for the content of a file that is not there; undefined: it must be. */
export function parseConfigFile<T>(
  variable: string,
  { path, text, fault }: FoundFile,
  parseContent: (value: unknown) => Result<T, readonly string[]>,
  absent: unknown,
): Result<T, readonly string[]> {
  if (fault !== undefined) return err([`${variable}: ${path} cannot be read: ${fault}`]);
  if (text === undefined && absent === undefined) return err([`${variable}: there is no file ${path}`]);
  const parsed = text === undefined ? parseContent(absent) : parseConfigText(text, parseContent);
  return parsed.ok ? parsed : err(parsed.error.map((problem) => `${path}: ${problem}`));
}

/** Reads a YAML text; the problems are those of its syntax, or else those of its content. */
export function parseConfigText<T>(
  text: string,
  parseContent: (value: unknown) => Result<T, readonly string[]>,
): Result<T, readonly string[]> {
  const content = parseYaml(text);
  return content.ok ? parseContent(content.value) : content;
}

/** The value of a YAML text; a problem of its syntax is one line, with its line and column. */
function parseYaml(text: string): Result<unknown, readonly string[]> {
  const document = parseDocument(text);
  const [broken] = document.errors; // what follows the first comes of it
  if (broken !== undefined) {
    const said = (broken.message.split('\n', 1)[0] ?? '').replace(/ at line \d+, column \d+:?$/, '').replace(/:$/, '');
    const at = broken.linePos?.[0];
    return err([at === undefined ? said : `line ${at.line}, column ${at.col}: ${said}`]);
  }
  try {
    return ok(document.toJS());
  } catch (error) {
    // A reference to nothing, or so many of them that the text is an attack.
    if (error instanceof ReferenceError) return err([error.message.split('\n', 1)[0] ?? '']);
    throw error;
  }
}
