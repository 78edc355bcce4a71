// File names as bytes become text, or are refused: what is not plain text would not survive the archive, the report or a terminal.

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The longest path in a scan, in UTF-16 units; the schema of its result knows the same number. */
export const maxPath = 4096;

/** The name, or undefined when it is not UTF-8 or holds control characters or a backslash (which archives take for a slash). */
export function textOfName(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined; // what a strict decoder throws
    throw error;
  }
  return text.length > maxPath || /[\p{Cc}\\\u2028\u2029]/u.test(text) ? undefined : text;
}

/** A name for showing alone: plain ASCII stays, other bytes become `\xNN`. */
export function showName(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes.subarray(0, 1000)) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return bytes.length > 1000 ? `${text}...` : text;
}

/** Whether a relative path stays where it is: no empty part, no `.`, no `..`. */
export function isPlainPath(path: string): boolean {
  return !/(^|\/)\.{0,2}(\/|$)/.test(path);
}
