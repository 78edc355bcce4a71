// Wildcards as the server reads them, told by trying every subject there is in a small world.
import { describe, expect, test } from 'vitest';
import { checkPattern, checkSubject, matches, overlap } from '#core/bus/subject.ts';

const lists = (tokens: readonly string[], length: number): string[][] =>
  length === 0 ? [[]] : lists(tokens, length - 1).flatMap((list) => tokens.map((token) => [...list, token]));
const all = (tokens: readonly string[]): string[] => [1, 2, 3].flatMap((n) => lists(tokens, n)).map((l) => l.join('.'));
const subjects = all(['a', 'b']);
const patterns = all(['a', 'b', '*', '>']).filter((pattern) => !pattern.slice(0, -1).includes('>'));

/** Token by token, by recursion: slow, and plainly right. */
function covers([asked, ...askedRest]: readonly string[], [given, ...givenRest]: readonly string[]): boolean {
  if (asked === undefined || given === undefined) return asked === given;
  if (asked === '>') return true;
  return (asked === '*' || asked === given) && covers(askedRest, givenRest);
}

describe('subjects', () => {
  test('a pattern matches what its tokens cover', () => {
    for (const pattern of patterns) {
      for (const subject of subjects) {
        expect(matches(pattern, subject), `${pattern} ${subject}`).toBe(covers(pattern.split('.'), subject.split('.')));
      }
    }
  });

  test('two patterns overlap when some subject falls under both', () => {
    for (const left of patterns) {
      for (const right of patterns) {
        const shared = subjects.some((subject) => matches(left, subject) && matches(right, subject));
        expect(overlap(left, right), `${left} ${right}`).toBe(shared);
      }
    }
  });

  test('what one may publish to and what one may subscribe to', () => {
    for (const subject of subjects) expect(() => checkSubject(subject)).not.toThrow();
    for (const pattern of patterns) expect(() => checkPattern(pattern)).not.toThrow();
    for (const pattern of patterns.filter((p) => /[*>]/.test(p)))
      expect(() => checkSubject(pattern)).toThrow('subject');
    for (const bad of ['', '.', 'a.', '.a', 'a..b', 'a b', 'a\tb', 'a\u0000', 'a\u00a0b', '>.a', 'a>', '*a']) {
      expect(() => checkPattern(bad), JSON.stringify(bad)).toThrow('subject');
      expect(() => checkSubject(bad), JSON.stringify(bad)).toThrow('subject');
    }
    expect(() => checkSubject('ü.日本')).not.toThrow();
  });
});
