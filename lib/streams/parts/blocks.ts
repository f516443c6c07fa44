/** Rows that are dear to make, kept block by block until there is no more room. */

/** How many rows are made together. */
export const blockRows = 256;

/** Blocks by key; the one that was not asked for longest goes first when they take more than their room. */
export interface Blocks {
  /** The block of a key, made if it is not there. */
  block(key: string, make: () => Float32Array): Float32Array;
  /** The bytes that are kept. */
  readonly bytes: number;
}

/** An empty store for at most so many bytes; a block that is larger is made each time. */
export function blocks(mostBytes: number): Blocks {
  const kept = new Map<string, Float32Array>(); // in the order in which they were asked for
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    block(key, make) {
      const found = kept.get(key);
      if (found !== undefined) {
        kept.delete(key);
        kept.set(key, found);
        return found;
      }
      const made = make();
      if (made.byteLength > mostBytes) return made;
      kept.set(key, made);
      bytes += made.byteLength;
      for (const [oldest, block] of kept) {
        if (bytes <= mostBytes) break;
        kept.delete(oldest);
        bytes -= block.byteLength;
      }
      return made;
    },
  };
}
