// Subjects as NATS reads them: tokens between dots; in a pattern `*` stands for one token, `>` at the end for one or more.
// Which subjects exist is core/protocol's business.
import { invalid } from '#core/errors.ts';

/** A control line longer than 4,096 bytes makes the server hang up; a subject and a reply of this many characters fit. */
const longest = 600;

const plain = /^[^\s.*>\p{Cc}]+(?:\.[^\s.*>\p{Cc}]+)*$/u;
const wild = /^(?:(?:\*|[^\s.*>\p{Cc}]+)\.)*(?:\*|>|[^\s.*>\p{Cc}]+)$/u;

/** Throws invalid_argument unless one may publish to it: no wildcard, no blank, no empty token, at most 600 characters. */
export function checkSubject(subject: string, field = 'subject'): void {
  if (subject.length <= longest && plain.test(subject)) return;
  throw invalid(field, 'must be 1 to 600 characters in tokens between dots, without blanks, "*" and ">"');
}

/** Throws invalid_argument unless one may subscribe to it. */
export function checkPattern(pattern: string): void {
  if (pattern.length <= longest && wild.test(pattern)) return;
  throw invalid('subject', 'must be tokens between dots, "*" for one token, ">" at the end for the rest');
}

/** Throws invalid_argument unless it may name a queue group: it stands in the same control line. */
export function checkGroup(group: string): void {
  if (group.length <= longest && plain.test(group)) return;
  throw invalid('queue', 'must be a name without blanks, "*" and ">"');
}

/** Whether a subject falls under a pattern. */
export function matches(pattern: string, subject: string): boolean {
  const asked = pattern.split('.');
  const given = subject.split('.');
  for (const [i, token] of asked.entries()) {
    if (token === '>') return given.length > i;
    if (token !== '*' && token !== given[i]) return false;
    if (i >= given.length) return false;
  }
  return asked.length === given.length;
}

/** Whether some subject falls under both patterns. */
export function overlap(a: string, b: string): boolean {
  const left = a.split('.');
  const right = b.split('.');
  for (let i = 0; i < left.length && i < right.length; i++) {
    const l = left[i];
    const r = right[i];
    if (l === '>' || r === '>') return true;
    if (l !== '*' && r !== '*' && l !== r) return false;
  }
  return left.length === right.length;
}
