// How a moment and a state look in a line of `cortex watch`.
import type { Style } from './output.ts';

/** `12:34:56`, in this machine's time; blanks for what is no time. */
export function clock(rfc3339: string): string {
  const at = new Date(rfc3339);
  if (Number.isNaN(at.getTime())) return ' '.repeat(8);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}

export function stateStyle(state: string): Style {
  switch (state) {
    case 'SUCCEEDED':
      return 'green';
    case 'FAILED':
    case 'TIMEOUT':
    case 'DENIED':
      return 'red';
    case 'CANCELLED':
      return 'yellow';
    case 'RUNNING':
      return 'cyan';
    default:
      return 'dim';
  }
}
