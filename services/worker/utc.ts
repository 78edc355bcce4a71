// Times as the original writes them into results.

let second = Number.NaN;
let text = '';

/** RFC 3339 in UTC, whole seconds: `2026-11-22T16:00:00Z`. Takes ms since the epoch. */
export function utcSeconds(ms: number): string {
  const now = Math.floor(ms / 1000);
  if (now !== second) {
    second = now;
    text = `${new Date(now * 1000).toISOString().slice(0, 19)}Z`;
  }
  return text;
}
