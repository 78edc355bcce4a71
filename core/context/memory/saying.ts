// What is said, as a memory takes it.
import { cutMark } from '../cut.ts';
import { maxEntryLength } from './log.ts';

/** The text, or its beginning and the mark; half of a pair of surrogates becomes U+FFFD, since it cannot be stored. */
export function cutEntry(text: string): string {
  if (text.length <= maxEntryLength) return text.toWellFormed();
  return `${text.slice(0, maxEntryLength - cutMark.length - 1).toWellFormed()}\n${cutMark}`;
}
