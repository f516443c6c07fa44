/** Which numbers of a kernel stay. */
import { needShare } from "../../data/options.ts";
import type { KernelPlace, Matrix } from "../../models/parts/kernel-layers.ts";

/** How many numbers are taken away, and where. */
export interface Amount {
  /** The share of numbers that become 0, in [0, 1]. */
  readonly sparsity: number;
  /** "2:4": of each four numbers in a row that a unit weighs two stay, in place of a share; "" for a share. */
  readonly pattern: string;
}

/** What every rule has as options. */
export const amountDefaults = {
  /** The share of numbers that become 0, in [0, 1]. */
  sparsity: 0.5,
  /** "2:4": of each four numbers in a row that a unit weighs two stay, whatever the share; "" for none. */
  pattern: "",
};

/** The numbers of "2:4", or null for "". */
export function patternOf(where: string, pattern: string): readonly [kept: number, of: number] | null {
  if (pattern === "") return null;
  const found = /^(\d+):(\d+)$/.exec(pattern);
  const [kept, of] = [Number(found?.[1]), Number(found?.[2])];
  if (found === null || kept < 1 || kept > of)
    throw new TypeError(`${where}: a pattern as "2:4" is required, got ${JSON.stringify(pattern)}`);
  return [kept, of];
}

/** Throws unless an amount is one. */
export function needAmount(where: string, { sparsity, pattern }: Amount): void {
  needShare(where, "sparsity", sparsity);
  patternOf(where, pattern);
}

/** 1 for the numbers with the largest scores, 0 for the others; of equal ones the first go. Scores are `[inputs, units]`. */
export function kept(
  where: string,
  scores: Matrix,
  { inputs, units }: Pick<KernelPlace, "inputs" | "units">,
  { sparsity, pattern }: Amount,
  within: "unit" | "layer",
): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(scores.length).fill(1);
  const found = patternOf(where, pattern);
  if (found === null && within === "layer") {
    lowest(scores, everyOf(scores.length), Math.floor(scores.length * sparsity), mask);
    return mask;
  }
  const [stay, of] = found ?? [inputs - Math.floor(inputs * sparsity), inputs];
  for (let unit = 0; unit < units; unit++)
    for (let from = 0; from < inputs; from += of) {
      const count = Math.min(of, inputs - from);
      const at = everyOf(count).map((i) => (from + i) * units + unit);
      // of a group that the layer's end has cut the same share stays
      lowest(scores, at, count - Math.ceil((stay * count) / of), mask);
    }
  return mask;
}

/** A kernel with 0 where a mask is. */
export function masked(kernel: Matrix, mask: Uint8Array): Matrix {
  return kernel.map((w, i) => (mask[i] === 1 ? w : 0));
}

/** The share of numbers that are 0. */
export function sparsityOf(kernel: ArrayLike<number>): number {
  let zeros = 0;
  for (let i = 0; i < kernel.length; i++) if (kernel[i] === 0) zeros++;
  return zeros / Math.max(1, kernel.length);
}

function everyOf(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

function lowest(scores: Matrix, at: Uint32Array, count: number, mask: Uint8Array): void {
  const order = at.slice().sort((a, b) => scores[a]! - scores[b]! || a - b);
  for (const i of order.subarray(0, count)) mask[i] = 0;
}
