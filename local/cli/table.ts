// Tables for people. When the terminal is narrow, columns that may be left out go first, then long texts are cut.
import { columnsOf, cut } from './text.ts';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  readonly align?: 'right';
  /** May be cut down to that many columns. */
  readonly least?: number;
  /** Where a cut takes away. */
  readonly cut?: 'end' | 'front';
  /** May be left out; the highest goes first. */
  readonly spare?: number;
  readonly style?: (text: string, row: T) => string;
}

const gap = 2;

/**
 * The lines of a table no wider than `width`, unless its columns cannot be made that narrow. A column that is empty in every row
 * is left out. Titles come through `head`; none when it is undefined.
 */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number,
  head?: (title: string) => string,
): string[] {
  const cells = columns
    .map((column) => {
      const texts = rows.map((row) => column.value(row));
      const titleWidth = head === undefined ? 0 : columnsOf(column.title);
      return { column, texts, width: Math.max(titleWidth, ...texts.map(columnsOf)) };
    })
    .filter(({ texts }) => texts.some((text) => text !== ''));
  const fitted = fit(cells, width);
  const line = (at: (cell: (typeof fitted)[number]) => string): string =>
    fitted
      .map((cell, i) => at(cell) + (i === fitted.length - 1 ? '' : ' '.repeat(gap)))
      .join('')
      .trimEnd();
  const padded = (text: string, cell: (typeof fitted)[number], style: (text: string) => string): string => {
    const short = cut(text, cell.width, cell.column.cut);
    const blanks = ' '.repeat(Math.max(0, cell.width - columnsOf(short)));
    return cell.column.align === 'right' ? blanks + style(short) : style(short) + blanks;
  };
  const body = rows.map((row, i) =>
    line((cell) =>
      padded(cell.texts[i] ?? '', cell, (text) => (text === '' ? '' : (cell.column.style?.(text, row) ?? text))),
    ),
  );
  return head === undefined ? body : [line((cell) => padded(cell.column.title, cell, head)), ...body];
}

interface Cells<T> {
  readonly column: Column<T>;
  readonly texts: readonly string[];
  readonly width: number;
}

/** A spare column never makes a needed one narrower. */
function fit<T>(all: readonly Cells<T>[], width: number): readonly Cells<T>[] {
  let cells = all;
  for (;;) {
    const spare = cells.filter(({ column }) => column.spare !== undefined);
    const shrunk = shrink(cells, width, (column) => column.spare !== undefined);
    if (total(shrunk) <= width || spare.length === 0) return shrink(shrunk, width, () => true);
    const least = spare.toSorted((a, b) => (b.column.spare ?? 0) - (a.column.spare ?? 0))[0];
    cells = cells.filter((one) => one !== least);
  }
}

/** Takes from the widest column that may give, one after the other. */
function shrink<T>(
  cells: readonly Cells<T>[],
  width: number,
  mayGive: (column: Column<T>) => boolean,
): readonly Cells<T>[] {
  const widths = cells.map((cell) => cell.width);
  for (let over = total(cells) - width; over > 0; over--) {
    let widest = -1;
    cells.forEach(({ column }, i) => {
      const now = widths[i] ?? 0;
      if (column.least === undefined || now <= column.least || !mayGive(column)) return;
      if (widest < 0 || now > (widths[widest] ?? 0)) widest = i;
    });
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return cells.map((cell, i) => ({ ...cell, width: widths[i] ?? cell.width }));
}

function total(cells: readonly { readonly width: number }[]): number {
  return cells.reduce((sum, cell) => sum + cell.width, 0) + gap * Math.max(0, cells.length - 1);
}
