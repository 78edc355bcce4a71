// Finds runs of lines in a file, in time that grows with both and not with their product: a hostile file of one line again and again
// must not keep the event loop busy. Blanks at the end of a line do not count, `\r` among them.

export interface Finder {
  /** Lines of the file. */
  readonly count: number;
  line(at: number): string | undefined;
  has(line: string): boolean;
  /** Whether these lines stand at that place. */
  fits(run: readonly string[], at: number): boolean;
  /** The first two places where they stand. */
  places(run: readonly string[]): readonly number[];
}

export function createFinder(lines: readonly string[]): Finder {
  const numbers = new Map<string, number>();
  const file = new Int32Array(lines.length);
  for (const [i, line] of lines.entries()) {
    const key = line.trimEnd();
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    file[i] = number;
  }
  const numberOf = (line: string): number => numbers.get(line.trimEnd()) ?? -1;

  return {
    count: lines.length,
    line: (at) => lines[at],
    has: (line) => numberOf(line) >= 0,
    fits: (run, at) =>
      at >= 0 && at + run.length <= file.length && run.every((line, i) => file[at + i] === numberOf(line)),
    places(run) {
      const wanted = Int32Array.from(run, numberOf);
      if (wanted.length === 0 || wanted.includes(-1)) return [];
      const found: number[] = [];
      const borders = bordersOf(wanted);
      let matched = 0;
      for (let i = 0; i < file.length && found.length < 2; i++) {
        while (matched > 0 && file[i] !== wanted[matched]) matched = borders[matched - 1] ?? 0;
        if (file[i] === wanted[matched]) matched++;
        if (matched < wanted.length) continue;
        found.push(i - matched + 1);
        matched = borders[matched - 1] ?? 0;
      }
      return found;
    },
  };
}

/** Of each beginning of the run: the length of its longest end that is a beginning too (Knuth, Morris and Pratt). */
function bordersOf(run: Int32Array): Int32Array {
  const borders = new Int32Array(run.length);
  let length = 0;
  for (let i = 1; i < run.length; i++) {
    while (length > 0 && run[i] !== run[length]) length = borders[length - 1] ?? 0;
    if (run[i] === run[length]) length++;
    borders[i] = length;
  }
  return borders;
}
