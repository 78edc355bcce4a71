// What a payload asks, by the original's rules: contract of the context engine, "User message".

export interface Asked {
  /** The user's message. */
  readonly text: string;
  /** The file that the payload is about; empty: none. */
  readonly filePath: string;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Of a JSON object the first that is not empty of prompt, message, and instruction with its code_snippet; else the whole text. What is no
 * JSON object is the message as it is.
 */
export function userMessageOf(payload: Uint8Array): Asked {
  const text = decoder.decode(payload);
  const fields = objectOf(text);
  if (fields === undefined) return { text, filePath: '' };
  const said = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const filePath = said('file_path');
  const prompt = [said('prompt'), said('message')].find((words) => words.trim() !== '');
  if (prompt !== undefined) return { text: prompt, filePath };
  const [instruction, code] = [said('instruction'), said('code_snippet')];
  if (instruction.trim() === '') return { text, filePath };
  return { text: code === '' ? instruction : `${instruction}\n\nCode:\n${code}`, filePath };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
