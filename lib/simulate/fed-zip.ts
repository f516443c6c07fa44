import { needOneOf, needShare, needWhole } from "../data/options.ts";
import { type Coded, codec } from "./codec.ts";
import { countsOf, decodeBits, encodeBits, huffman } from "./parts/huffman.ts";
import { byLayer } from "./quantised.ts";
import { largest } from "./top-k.ts";

/**
 * FedZip: of each layer the largest numbers stay, they are drawn together to a few values, and what is left goes out in Huffman's code.
 *
 * `places: "all"` codes the value of every place, 0 included; "distances" codes the values that are there and the distances between their
 * places. A layer also takes its values (4 bytes each) and the code's table (a value or a distance and the length of its code, 3 bytes each).
 * The bytes are those of the code that is written; it is read back for the vector.
 *
 * Malekijoo et al. 2021, arXiv:2102.01593, section 3 (top-z, k-means, encoding).
 * Differs from the paper: the first centres of k-means lie evenly between the least and the largest number.
 *
 * Implements: P294 FedZip
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.fedZip({ keep: 0.1, clusters: 3 }).spec.name; // "fedZip"
 * ```
 */
export const fedZip = codec(
  "fedZip",
  {
    /** The share of a layer's numbers that stays. */
    keep: 0.2,
    /** How many values they are drawn together to. */
    clusters: 3,
    /** How places are said: "all" or "distances". */
    places: "distances",
  },
  ({ keep, clusters, places }) => {
    needShare("fedZip", "keep", keep);
    needWhole("fedZip", "clusters", clusters);
    needOneOf("fedZip", "places", places, ["all", "distances"]);
    return (layers) => (vector) => byLayer(layers, vector, (part) => zipped(part, keep, clusters, places));
  },
);

/** A layer as it is coded. */
function zipped(part: Float32Array, keep: number, clusters: number, places: string): Coded {
  const { vector: sparse } = largest(part, Math.max(1, Math.round(keep * part.length)));
  const at = [...sparse.keys()].filter((i) => sparse[i] !== 0);
  if (at.length === 0) return { vector: sparse, bytes: 1 };
  const { centres, of } = kMeans(
    at.map((i) => sparse[i]!),
    clusters,
  );
  const vector = new Float32Array(part.length);
  if (places === "all") {
    const symbols = new Uint16Array(part.length);
    for (const [k, i] of at.entries()) symbols[i] = of[k]! + 1;
    const [bytes, read] = through(symbols);
    for (const [i, symbol] of read.entries()) if (symbol > 0) vector[i] = centres[symbol - 1]!;
    return { vector, bytes: bytes + 4 * centres.length };
  }
  const [valueBytes, values] = through(of);
  const [placeBytes, gaps] = through(at.map((i, k) => i - (k === 0 ? 0 : at[k - 1]!)));
  let i = 0;
  for (const [k, gap] of gaps.entries()) {
    i += gap;
    vector[i] = centres[values[k]!]!;
  }
  return { vector, bytes: valueBytes + placeBytes + 4 * centres.length };
}

/** The bytes of symbols in Huffman's code with its table, and the symbols as they are read back. */
function through(symbols: ArrayLike<number>): [bytes: number, read: number[]] {
  const codes = huffman(countsOf(Array.from(symbols)));
  const bytes = encodeBits(symbols, codes);
  return [bytes.length + 3 * codes.size, decodeBits(bytes, symbols.length, codes)];
}

/** Lloyd's algorithm on numbers: centres, and the centre of each. Centres that no number has are left out. */
export function kMeans(values: readonly number[], k: number): { readonly centres: number[]; readonly of: number[] } {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  let centres = Array.from({ length: k }, (_, i) =>
    k === 1 ? (least + most) / 2 : least + ((most - least) * i) / (k - 1),
  );
  let of: number[] = [];
  for (let round = 0; round < 100; round++) {
    const next = values.map((x) =>
      centres.reduce((best, c, i) => (Math.abs(x - c) < Math.abs(x - centres[best]!) ? i : best), 0),
    );
    if (round > 0 && next.every((c, i) => c === of[i])) break;
    of = next;
    centres = centres.map((c, i) => {
      const own = values.filter((_, v) => of[v] === i);
      return own.length === 0 ? c : own.reduce((a, b) => a + b, 0) / own.length;
    });
  }
  const used = [...new Set(of)].sort((a, b) => a - b);
  return { centres: used.map((c) => centres[c]!), of: of.map((c) => used.indexOf(c)) };
}
