/** Makes examples of one shape of examples of another. */
import { type Examples, mapped, type Shape, sizeOf } from "../../data/dataset.ts";
import { resized } from "../../data/parts/resize.ts";

/** The examples of a table in another shape: images are resized by bilinear interpolation, shorter vectors are followed by 0. */
export function fittedTo(of: Examples, shape: Shape): Examples {
  if (String(of.shape) === String(shape)) return of;
  if (shape.length === 3 && of.shape.length === 3) {
    const resize = resized(of.shape, shape);
    return mapped(of, resize, shape);
  }
  const size = sizeOf(shape);
  return mapped(
    of,
    (row, out) => {
      out.fill(0);
      out.set(row.subarray(0, size));
    },
    shape,
  );
}
