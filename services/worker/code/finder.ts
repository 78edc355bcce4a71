// Finds runs of lines in a file, in time that grows with both and not with their product: a hostile file of one line again and again
// must not keep the event loop busy. Blanks at the end of a line do not count, `\r` among them.

export interface Finder {
  /** Lines of the file. */
  readonly count: number;
  line(at: number): string | undefined;
  has(line: string): boolean;
  /** Whether these lines stand at that place. */
  fits(run: readonly string[], at: number): boolean;
  /** The first two places where they stand; undefined when so much was looked through already that nobody has time for more. */
  places(run: readonly string[]): readonly number[] | undefined;
}

/** Lines that one finder looks through at most: a fraction of a second. */
const mostSteps = 50_000_000;
/** A line that stands in so few places leads to all places of a run that holds it. */
const fewPlaces = 8;

export function createFinder(lines: readonly string[], steps = mostSteps): Finder {
  const numbers = new Map<string, number>();
  /** By the number of a line: its places, or as many as count as few and one more. */
  const places: number[][] = [];
  const file = new Int32Array(lines.length);
  for (const [i, line] of lines.entries()) {
    const key = line.trimEnd();
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
      places.push([]);
    }
    file[i] = number;
    const its = places[number];
    if (its !== undefined && its.length <= fewPlaces) its.push(i);
  }
  const numberOf = (line: string): number => numbers.get(line.trimEnd()) ?? -1;
  const standsAt = (run: Int32Array, at: number): boolean =>
    at >= 0 && at + run.length <= file.length && run.every((number, i) => file[at + i] === number);
  let left = steps;

  return {
    count: lines.length,
    line: (at) => lines[at],
    has: (line) => numberOf(line) >= 0,
    fits: (run, at) => standsAt(Int32Array.from(run, numberOf), at),
    places(run) {
      const wanted = Int32Array.from(run, numberOf);
      if (wanted.length === 0 || wanted.includes(-1)) return [];
      for (const [i, number] of wanted.entries()) {
        const its = places[number] ?? [];
        if (its.length <= fewPlaces)
          return its
            .map((at) => at - i)
            .filter((at) => standsAt(wanted, at))
            .slice(0, 2);
      }
      left -= file.length + wanted.length;
      return left < 0 ? undefined : search(file, wanted);
    },
  };
}

function search(file: Int32Array, wanted: Int32Array): readonly number[] {
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
