/** Random augmentation of one strength: a few operations on an image, drawn from a list. */
import { type Shape, sizeOf } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import { moved, warped } from "./images.ts";

/** Writes an image changed by as much as `strength` of the most, from 0 to 1, either way as `sign` says. */
type Operation = (row: Float32Array, out: Float32Array, shape: Shape, strength: number, sign: number) => void;

/** The mean of an image, and its numbers drawn away from that or towards it. */
function blended(row: Float32Array, out: Float32Array, from: number, factor: number): void {
  for (let i = 0; i < row.length; i++) out[i] = from + (row[i]! - from) * factor;
}

/** Turning by up to 30°, shearing by up to 0.3, moving by up to 0.45 of a side, brightness and contrast by up to 0.9: RandAugment's ranges. */
const operations: readonly Operation[] = [
  (row, out, shape, strength, sign) => {
    const angle = (sign * strength * 30 * Math.PI) / 180;
    warped(row, out, shape, [Math.cos(angle), Math.sin(angle), -Math.sin(angle), Math.cos(angle)]);
  },
  (row, out, shape, strength, sign) => warped(row, out, shape, [1, sign * strength * 0.3, 0, 1]),
  (row, out, shape, strength, sign) => warped(row, out, shape, [1, 0, sign * strength * 0.3, 1]),
  (row, out, shape, strength, sign) => moved(row, out, shape, 0, Math.round(sign * strength * 0.45 * shape[1]!)),
  (row, out, shape, strength, sign) => moved(row, out, shape, Math.round(sign * strength * 0.45 * shape[0]!), 0),
  (row, out, _shape, strength, sign) => blended(row, out, 0, 1 + sign * strength * 0.9),
  (row, out, shape, strength, sign) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / sizeOf(shape);
    blended(row, out, mean, 1 + sign * strength * 0.9);
  },
];

/** Writes an image after so many random operations of one strength, from 0 (as it is) to 1. */
export function randomAugment(
  row: Float32Array,
  out: Float32Array,
  shape: Shape,
  { count, strength }: { readonly count: number; readonly strength: number },
  rng: Rng,
): void {
  out.set(row);
  for (let i = 0; i < count; i++) {
    const [operation, sign] = [operations[rng.int(operations.length)]!, rng.uniform() < 0.5 ? -1 : 1];
    if (strength > 0) operation(out.slice(), out, shape, strength, sign);
  }
}
