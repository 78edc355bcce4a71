// What is said, as a memory takes it.
import { cutMark } from '../cut.ts';
import { maxEntryLength } from './log.ts';

/** The text, or its beginning and the mark. */
export function cutEntry(text: string): string {
  if (text.length <= maxEntryLength) return text;
  return `${text.slice(0, maxEntryLength - cutMark.length - 1).toWellFormed()}\n${cutMark}`;
}
