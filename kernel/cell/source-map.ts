/** Just enough of the source map format (ECMA-426) to go from a line and column of the output to those of the input. */

const digits = new Map([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].map((c, i) => [c, i]));

export interface Position {
  /** From 0. */
  line: number;
  /** From 0, in UTF-16 units. */
  column: number;
}

/** Reads the `mappings` of a source map with one source; the result maps generated positions to original ones. */
export function sourceMap(mappings: string): (position: Position) => Position | undefined {
  let line = 0;
  let column = 0;
  const lines = mappings.split(";").map((segments) => {
    let generated = 0;
    return segments
      .split(",")
      .filter((segment) => segment !== "")
      .map((segment) => {
        const fields = decode(segment);
        generated += fields[0]!;
        line += fields[2] ?? 0;
        column += fields[3] ?? 0;
        return { generated, line, column };
      });
  });
  return (position) => {
    const segments = lines[position.line] ?? [];
    const found = segments.findLast((segment) => segment.generated <= position.column) ?? segments[0];
    return found && { line: found.line, column: found.column };
  };
}

function decode(segment: string): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (const char of segment) {
    const digit = digits.get(char) ?? 0;
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    values.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return values;
}

/** Line and column of an offset. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const line = before.split("\n").length - 1;
  return { line, column: offset - (before.lastIndexOf("\n") + 1) };
}

/** Offset of a line and column. */
export function offsetAt(text: string, position: Position): number {
  let start = 0;
  for (let line = 0; line < position.line; line++) {
    const next = text.indexOf("\n", start);
    if (next < 0) return text.length;
    start = next + 1;
  }
  return Math.min(start + position.column, text.length);
}
