// The difference of two texts by lines, as `diff -u` shows it.

/** Lines around a change. */
const around = 3;

/** Beyond so many lines on each side, what differs is shown as taken out and put in whole. */
const most = 1_000;

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** Lines that begin with `-`, `+` or a blank, each part under an `@@` line; none for equal texts. */
export function lineDiff(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const lines = compared(before.split('\n'), after.split('\n'));
  const shown = new Set<number>();
  for (const [i, { sign }] of lines.entries()) {
    if (sign === ' ') continue;
    for (let near = i - around; near <= i + around; near++) if (near >= 0 && near < lines.length) shown.add(near);
  }
  const out: string[] = [];
  let [a, b] = [1, 1];
  for (let i = 0; i < lines.length; ) {
    let end = i;
    while (shown.has(end)) end++;
    const part = lines.slice(i, Math.max(end, i + 1));
    const [removed, added] = [
      part.filter(({ sign }) => sign !== '+').length,
      part.filter(({ sign }) => sign !== '-').length,
    ];
    if (end > i) {
      out.push(`@@ -${a},${removed} +${b},${added} @@`);
      for (const { sign, text } of part) out.push(sign + text);
    }
    a += removed;
    b += added;
    i += part.length;
  }
  return out;
}

function compared(before: readonly string[], after: readonly string[]): readonly Line[] {
  const same = (text: string): Line => ({ sign: ' ', text });
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < Math.min(before.length, after.length) - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++;
  const [a, b] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  return [
    ...before.slice(0, head).map(same),
    ...(a.length > most || b.length > most ? whole(a, b) : middle(a, b)),
    ...before.slice(before.length - tail).map(same),
  ];
}

function whole(a: readonly string[], b: readonly string[]): Line[] {
  return [...a.map((text): Line => ({ sign: '-', text })), ...b.map((text): Line => ({ sign: '+', text }))];
}

/** By the longest common run of lines, in the square of their number. */
function middle(a: readonly string[], b: readonly string[]): Line[] {
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const out: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      out.push({ sign: ' ', text: a[i++] ?? '' });
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) out.push({ sign: '-', text: a[i++] ?? '' });
    else out.push({ sign: '+', text: b[j++] ?? '' });
  }
  return [...out, ...whole(a.slice(i), b.slice(j))];
}
