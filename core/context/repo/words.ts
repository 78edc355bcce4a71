// Words of code and prose. An identifier counts as a whole and as its parts: `parseHTTPHeader_v2` is found by itself, by `parse`,
// by `http` and by `header`. Words that are everywhere say nothing and are left out, of the index and of the question.

const MAX_WORD = 64;

const STOP = new Set(
  `a an and any are as at be been but by can could did do does for from had has have how if in into is it its just may more my no
not of on only or our out should so some such than that the their them then there these they this to too up use used uses using
was we were what when where which while who why will with would you your
async await break case catch class const continue def default elif else end export extends false final finally func function
import interface let new nil none null package private protected public pub return self static string struct super switch throw
throws true try type undefined var void yield`.split(/\s+/),
);

/** Calls `take` for each word between `start` and `end`: letters, digits, `_`, `$` and whatever is not ASCII, in a row. */
export function eachWord(text: string, take: (word: string) => void): void {
  let start = -1;
  for (let i = 0; i <= text.length; i++) {
    // Behind the end the code is NaN, which is in no class.
    const code = text.charCodeAt(i);
    const inside =
      (code >= 97 && code <= 122) ||
      (code >= 65 && code <= 90) ||
      (code >= 48 && code <= 57) ||
      code === 95 ||
      code === 36 ||
      code >= 128;
    if (inside) {
      if (start < 0) start = i;
    } else if (start >= 0) {
      if (i - start > 1 && i - start <= MAX_WORD) take(text.slice(start, i));
      start = -1;
    }
  }
}

/** The terms of one word: the whole in lower case, then its parts if there are several. Numbers and stop words give none. */
export function termsOf(word: string): string[] {
  const whole = word.replaceAll('$', '').toLowerCase();
  const terms: string[] = [];
  if (isTerm(whole)) terms.push(stem(whole));
  const parts = word.match(isAscii(word) ? ASCII_PARTS : PARTS) ?? [];
  if (parts.length < 2) return terms;
  for (const part of parts) {
    const lower = part.toLowerCase();
    if (isTerm(lower)) terms.push(stem(lower));
  }
  return terms;
}

// Capitals in a row, a word that may begin with one, figures, and whatever knows no capitals.
const ASCII_PARTS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+/g;
const PARTS = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{M}]+|\p{N}+|[^\p{Lu}\p{Ll}\p{N}_$]+/gu;

function isAscii(word: string): boolean {
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) >= 128) return false;
  return true;
}

function isTerm(word: string): boolean {
  return word.length > 1 && !STOP.has(word) && !/^[0-9_]+$/.test(word);
}

/** Plurals alone: `chunks` and `chunk` are one word. */
function stem(word: string): string {
  if (word.length < 4 || !word.endsWith('s') || word.endsWith('ss') || word.endsWith('us') || word.endsWith('is'))
    return word;
  return word.endsWith('ies') && word.length > 4 ? `${word.slice(0, -3)}y` : word.slice(0, -1);
}

/** All terms of a text, in its order, repeated as often as they stand there. */
export function termsOfText(text: string): string[] {
  const terms: string[] = [];
  eachWord(text, (word) => terms.push(...termsOf(word)));
  return terms;
}
