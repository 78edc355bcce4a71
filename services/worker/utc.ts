// Times as the original writes them into results.

/** RFC 3339 in UTC, whole seconds: `2026-11-22T16:00:00Z`. Takes ms since the epoch. */
export function utcSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
