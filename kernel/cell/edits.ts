/** Text edits that remember where each piece came from, so that a stack frame in the edited text finds its place in the original. */

interface Piece {
  text: string;
  /** Offset in the original text, or -1 for text that was put in. */
  from: number;
}

export interface Edited {
  text: string;
  /** The original offset that stands at `offset` of the edited text (that of the nearest original text before it, for text put in). */
  original(offset: number): number;
}

export function edits(source: string) {
  const opens = new Map<number, string[]>();
  const closes = new Map<number, string[]>();
  const removals = new Map<number, number>();
  const moved: { start: number; end: number }[] = [];
  const at = (map: Map<number, string[]>, position: number) =>
    map.get(position) ?? map.set(position, []).get(position)!;

  /** Pieces of the original range [start, end) with the edits inside it applied. */
  function* render(start: number, end: number): Generator<Piece> {
    const positions = new Set<number>([start, end]);
    for (const map of [opens, closes]) for (const p of map.keys()) if (p >= start && p <= end) positions.add(p);
    for (const [p, to] of removals) if (p >= start && p < end) positions.add(p).add(to);
    const sorted = [...positions].sort((a, b) => a - b);
    let skip = start;
    for (let i = 0; i < sorted.length; i++) {
      const here = sorted[i]!;
      if (here >= skip) {
        if (here > start) for (const text of closes.get(here) ?? []) yield { text, from: -1 };
        if (here < end) for (const text of opens.get(here) ?? []) yield { text, from: -1 };
      }
      const removed = removals.get(here);
      if (removed !== undefined && here < end) skip = Math.max(skip, removed);
      const next = sorted[i + 1];
      if (next !== undefined && here >= skip) yield { text: source.slice(here, next), from: here };
    }
  }

  return {
    /** Puts `text` before what begins at `position`; the first opened is the outermost. */
    open: (position: number, text: string) => void at(opens, position).push(text),
    /** Puts `text` after what ends at `position`; the first closed is the outermost. */
    close: (position: number, text: string) => void at(closes, position).unshift(text),
    /** Puts `text` after all that ends at `position`. */
    after: (position: number, text: string) => void at(closes, position).push(text),
    remove: (start: number, end: number) => void removals.set(start, end),
    replace(start: number, end: number, text: string) {
      removals.set(start, end);
      at(opens, start).push(text);
    },
    /** Moves a range to the top, in the order of the calls. */
    hoist: (start: number, end: number) => void moved.push({ start, end }),
    apply(prefix: string, suffix: string): Edited {
      const pieces: Piece[] = [{ text: prefix, from: -1 }];
      for (const range of moved) pieces.push(...render(range.start, range.end));
      let at = 0;
      for (const range of [...moved].sort((a, b) => a.start - b.start)) {
        pieces.push(...render(at, range.start));
        at = range.end;
      }
      pieces.push(...render(at, source.length), { text: suffix, from: -1 });
      return {
        text: pieces.map((piece) => piece.text).join(""),
        original(offset) {
          let position = 0;
          let last = 0;
          for (const piece of pieces) {
            if (offset < position + piece.text.length) return piece.from < 0 ? last : piece.from + offset - position;
            position += piece.text.length;
            if (piece.from >= 0) last = piece.from + piece.text.length;
          }
          return last;
        },
      };
    },
  };
}

export type Edits = ReturnType<typeof edits>;
