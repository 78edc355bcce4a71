// Terms of what people say. As in code (repo/words.ts), with two differences: any mark that is no letter parts words, and what is written
// without blanks between words counts by pairs of characters.
import { termsOf } from '../repo/words.ts';

const WORDS = /[\p{L}\p{M}\p{N}_$]+/gu;
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}ー]+/gu;

/** Terms in the order of the text, as often as they stand there. */
export function termsOfSpeech(text: string): string[] {
  const terms: string[] = [];
  for (const [word] of text.matchAll(WORDS)) {
    const rest = word.replaceAll(UNSPACED, (run) => {
      // One by one: a run may be longer than a call may have arguments.
      for (const pair of pairsOf(run)) terms.push(pair);
      return ' ';
    });
    for (const part of rest === word ? [word] : rest.split(' ')) terms.push(...termsOf(part));
  }
  return terms;
}

/** A single character is a term by itself. */
function pairsOf(run: string): string[] {
  const characters = Array.from(run);
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, i) => `${characters[i] ?? ''}${character}`);
}
