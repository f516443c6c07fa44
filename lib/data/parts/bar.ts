/** Shows that loading goes on: a bar in a terminal, a display that is updated in a notebook, nothing in a pipe. */

/** Follows something that goes on: `all` is null where its end is not known. */
export interface Bar {
  at(done: number, all: number | null): void;
  /** It is over: the bar goes away. */
  end(): void;
}

type Show = (bundle: Record<string, unknown>, options: { displayId: string; update: boolean }) => void;

/** Least time between two pictures, in milliseconds. */
const interval = 100;
/** The width of a bar in characters. */
const width = 24;
let displays = 0;

/** A bar under a name, wherever this process shows something; `written` says an amount in words. */
export function bar(name: string, written: (amount: number) => string = String): Bar {
  const show = (globalThis as { [key: symbol]: unknown })[Symbol.for("Jupyter.display")];
  if (typeof show !== "function" && !process.stderr.isTTY) return { at() {}, end() {} };
  const displayId = `thalweg-loading-${process.pid}-${++displays}`;
  let drawn = -Infinity;
  let shown = false;
  const put = (text: string): void => {
    if (typeof show !== "function") process.stderr.write(`\r\x1b[2K${text}`);
    else (show as Show)({ "text/plain": text }, { displayId, update: shown });
    shown = true;
  };
  return {
    at(done, all) {
      if (performance.now() - drawn < interval) return;
      drawn = performance.now();
      const full = all === null ? 0 : Math.round((width * Math.min(done, all)) / all);
      const drawing = all === null ? "" : ` ${"█".repeat(full)}${"░".repeat(width - full)}`;
      put(`${name}${drawing} ${written(done)}${all === null ? "" : ` of ${written(all)}`}`);
    },
    end() {
      if (!shown) return;
      put(typeof show === "function" ? `${name}: loaded` : "");
    },
  };
}

/** Bytes as people say them: `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
