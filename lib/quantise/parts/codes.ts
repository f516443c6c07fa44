/** Kernels as whole numbers, and what these stand for. */
import { needWhole } from "../../data/options.ts";
import type { KernelPlace, Matrix } from "../../models/parts/kernel-layers.ts";

/**
 * A kernel `[inputs, units]` as whole numbers from 0 to 2^bits − 1: `w = (code − zero) · scale / by`. Scale and zero are `[inputs / group, units]`:
 * one for each unit, or for each group of inputs of one.
 */
export interface Codes extends Pick<KernelPlace, "inputs" | "units"> {
  readonly bits: number;
  readonly group: number;
  readonly codes: Uint8Array;
  readonly scale: Float32Array;
  readonly zero: Uint8Array;
  /** What the numbers for an input were multiplied by before they were rounded; absent where by nothing. */
  readonly by?: Float32Array;
  /**
   * How what comes in is rounded, symmetrically to so many bits, after it was divided by `by`; absent where it is not. Scale 0: each row, of a convolution
   * each example, has its own.
   */
  readonly input?: { readonly bits: number; readonly scale: number };
}

/** What every rule has as options. */
export const gridDefaults = {
  /** Bits of a number, from 1 to 8. */
  bits: 4,
  /** Inputs that share a scale; 0: all inputs of a unit. The last group may be smaller. */
  group: 0,
  /** Whether the whole number that stands for 0 is the middle one, so that a scale is all that is kept. */
  symmetric: false,
};

export interface Grid {
  readonly bits: number;
  readonly group: number;
  readonly symmetric: boolean;
}

/** Throws unless a grid is one. */
export function needGrid(where: string, { bits, group }: Grid): void {
  needWhole(where, "bits", bits);
  needWhole(where, "group", group, 0);
  if (bits > 8) throw new RangeError(`${where}: bits must be from 1 to 8, got ${bits}`);
}

/** The largest code. */
export const mostOf = (bits: number): number => 2 ** bits - 1;

/** The scale and the code of 0 for some numbers: their range, which 0 is always in, in equal parts. */
export function gridOf(
  numbers: Iterable<number>,
  { bits, symmetric }: Pick<Grid, "bits" | "symmetric">,
): { readonly scale: number; readonly zero: number } {
  let [low, high] = [0, 0];
  for (const value of numbers) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const most = mostOf(bits);
  if (symmetric) [low, high] = [-Math.max(-low, high), Math.max(-low, high)];
  if (low === high) [low, high] = [-1, 1];
  const scale = Math.fround((high - low) / most);
  return { scale, zero: symmetric ? (most + 1) / 2 : Math.round(-low / scale) };
}

/** The nearest code of a number. */
export function codeOf(value: number, scale: number, zero: number, bits: number): number {
  return Math.min(mostOf(bits), Math.max(0, Math.round(value / scale) + zero));
}

/** Where the scale of a number of a kernel lies. */
export function scaleAt(row: number, unit: number, units: number, group: number): number {
  return Math.floor(row / group) * units + unit;
}

/** Grids for a kernel, a column for each unit, a row for each group of its inputs. */
export function gridsOf(
  kernel: Matrix,
  { inputs, units }: Pick<KernelPlace, "inputs" | "units">,
  grid: Grid,
): Pick<Codes, "scale" | "zero" | "group"> {
  const group = grid.group === 0 ? inputs : Math.min(grid.group, inputs);
  const groups = Math.ceil(inputs / group);
  const scale = new Float32Array(groups * units);
  const zero = new Uint8Array(groups * units);
  for (let at = 0; at < groups; at++)
    for (let unit = 0; unit < units; unit++) {
      const rows = Array.from({ length: Math.min(group, inputs - at * group) }, (_, i) => at * group + i);
      const own = gridOf(
        rows.map((row) => kernel[row * units + unit]!),
        grid,
      );
      scale[at * units + unit] = own.scale;
      zero[at * units + unit] = own.zero;
    }
  return { scale, zero, group };
}

/** Each number of a kernel as its nearest code. */
export function rounded(kernel: Matrix, place: Pick<KernelPlace, "inputs" | "units">, grid: Grid): Codes {
  const { inputs, units } = place;
  const { scale, zero, group } = gridsOf(kernel, place, grid);
  const codes = Uint8Array.from(kernel, (value, i) => {
    const at = scaleAt(Math.floor(i / units), i % units, units, group);
    return codeOf(value, scale[at]!, zero[at]!, grid.bits);
  });
  return { inputs, units, bits: grid.bits, group, codes, scale, zero };
}

/** The kernel that codes stand for, as 32-bit floats give it. */
export function decoded({ codes, scale, zero, group, units, by }: Codes): Matrix {
  return Float64Array.from(codes, (code, i) => {
    const row = Math.floor(i / units);
    const at = scaleAt(row, i % units, units, group);
    const value = Math.fround((code - zero[at]!) * scale[at]!);
    return by === undefined ? value : Math.fround(value / by[row]!);
  });
}

/** Bytes of codes, scales and zeros, packed. */
export function bytesOf({ codes, bits, scale, zero, by, input }: Codes): number {
  const packed = (count: number): number => Math.ceil((count * bits) / 8);
  return (
    packed(codes.length) + packed(zero.length) + 4 * (scale.length + (by?.length ?? 0) + (input === undefined ? 0 : 1))
  );
}
