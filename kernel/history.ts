/** What was executed, as history requests ask for it. */

export interface Entry {
  session: number;
  line: number;
  input: string;
  output: string | null;
}

export function history() {
  const entries: Entry[] = [];
  /** `*` any text, `?` any character. */
  const glob = (pattern: string) =>
    new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", "[\\s\\S]*")
        .replaceAll("?", "[\\s\\S]")}$`,
    );
  return {
    add: (line: number, input: string) => void entries.push({ session: 1, line, input, output: null }),
    setOutput(line: number, output: string) {
      const found = entries.findLast((entry) => entry.line === line);
      if (found) found.output = output;
    },
    tail: (n: number) => (n > 0 ? entries.slice(-n) : []),
    range: (start: number, stop: number | undefined) =>
      entries.filter((e) => e.line >= start && (stop === undefined || e.line < stop)),
    search(pattern: string, n: number | undefined, unique: boolean) {
      const matcher = glob(pattern);
      let found = entries.filter((entry) => matcher.test(entry.input));
      if (unique) found = found.filter((entry, i) => found.findLastIndex((other) => other.input === entry.input) === i);
      return n === undefined ? found : found.slice(-n);
    },
  };
}

export type History = ReturnType<typeof history>;
