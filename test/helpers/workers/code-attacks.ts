// What the tables of hostile answers for job.code.llm have in common: the file, ways to answer, and what every answer must end in.
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { says, type Turn } from '#core/model/memory.ts';
import { applied, codeRig, submits } from './code.ts';

export const path = 'src/a.ts';
/** The file, where an answer brings no other. */
export const code = 'one\ntwo\nthree\nfour\nfive\nsix\n';
/** A hunk that fits. */
export const good = '@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n';
/** The file after it. */
export const done = code.replace('two', 'TWO');
export const head = `--- a/${path}\n+++ b/${path}\n`;
/** An answer by the tool, with a diff. */
export const diff = (text: string): Turn => submits({ diff: text });
/** One by the tool, with what it says is the whole file. */
export const file = (text: string): Turn => submits({ content: text });
/** One in words, with one block. */
export const fenced = (text: string, word = '', marks = '```'): Turn => says(`${marks}${word}\n${text}${marks}`);

export interface Attack {
  readonly turn: Turn;
  /** Of the file, when its kind matters. */
  readonly at?: string;
  readonly code?: string;
  /** The file after the patch, or why there is none. */
  readonly ends: string | RegExp;
}

/** Each is answered twice: a repair of it is no better. */
export function testAttacks(attacks: Readonly<Record<string, Attack>>): void {
  describe(`${Object.keys(attacks).length} answers`, () => {
    test.each(Object.entries(attacks))('%s', async (_name, { turn, at = path, code: original = code, ends }) => {
      const { model, run } = codeRig();
      model.play(turn, turn);
      const before = readdirSync(tmpdir()).filter((name) => name.startsWith('cortex-patch-'));
      const job = run({ file_path: at, code_snippet: original, instruction: 'x' });
      if (typeof ends === 'string') {
        const { patch, repaired } = await job;
        expect(applied(at, original, patch.content)).toBe(ends);
        expect(repaired).toBe(false);
      } else {
        const error = (await job.catch((thrown: unknown) => thrown)) as Error;
        expect(error).toMatchObject({ code: 'internal', message: expect.stringMatching(ends) as unknown });
        expect(error.message).not.toMatch(/[\r\n]/);
        expect(model.requests).toHaveLength(2);
      }
      const mine = (name: string): boolean => name.includes(`-${process.pid}-`) && !before.includes(name);
      expect(readdirSync(tmpdir()).filter((name) => name.startsWith('cortex-patch-') && mine(name))).toEqual([]);
    });
  });
}
