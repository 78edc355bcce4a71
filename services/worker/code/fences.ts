// The fenced blocks of an answer. A fence is closed by a line of at least as many of its characters, at most as deep, and nothing else;
// one with a word behind it opens another block inside, as in a Markdown file that holds code.

export interface Block {
  /** The word behind the opening fence, in lower case. */
  readonly language: string;
  /** Every line ended. */
  readonly body: string;
  /** The answer ended before the block did. */
  readonly open: boolean;
}

interface Fence {
  readonly marks: string;
  readonly indent: string;
  readonly language: string;
}

export function blocksOf(text: string): readonly Block[] {
  const blocks: Block[] = [];
  let outer: Fence | undefined;
  let inner: Fence[] = [];
  let body: string[] = [];
  const close = (open: boolean): void => {
    if (outer === undefined) return;
    const { indent, language } = outer;
    const lines = body.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({ language, body: lines.map((line) => `${line}\n`).join(''), open });
    [outer, inner, body] = [undefined, [], []];
  };
  for (const line of text.split('\n')) {
    const fence = fenceOf(line);
    if (outer === undefined) {
      outer = fence;
      continue;
    }
    const isDeeper = fence !== undefined && fence.indent.length > outer.indent.length && inner.length === 0;
    const last = inner.at(-1) ?? outer;
    // A diff's own lines are marked, so a fence in one is deeper than the fence around it.
    if (fence !== undefined && !isDeeper && closes(fence, last)) {
      if (inner.length === 0) {
        close(false);
        continue;
      }
      inner.pop();
    } else if (fence !== undefined && fence.language !== '' && !/^(diff|patch)$/.test(outer.language))
      inner.push(fence);
    body.push(line);
  }
  close(true);
  return blocks;
}

function fenceOf(line: string): Fence | undefined {
  const [head = '', indent = '', marks = ''] = /^([ \t]*)(`{3,}|~{3,})/.exec(line) ?? [];
  const words = line.slice(head.length);
  if (marks === '' || words.includes('`')) return undefined;
  return { marks, indent, language: words.trim().split(/\s/, 1)[0]?.toLowerCase() ?? '' };
}

const closes = (fence: Fence, open: Fence): boolean =>
  fence.language === '' && fence.marks.charAt(0) === open.marks.charAt(0) && fence.marks.length >= open.marks.length;
