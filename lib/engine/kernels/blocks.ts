/** Kernels that move blocks of neighbouring elements into the batch or into channels, and back. */
import {
  type BatchToSpaceNDAttrs,
  backend_util,
  type DepthToSpaceAttrs,
  type SpaceToBatchNDAttrs,
} from "@tensorflow/tfjs-core";
import { reshape } from "../graph/arr.ts";
import { sizeOf } from "../graph/graph.ts";
import { define } from "./registry.ts";
import { pad, slice, transpose } from "./shape.ts";

define<SpaceToBatchNDAttrs>("SpaceToBatchND", (g, { x }, { blockShape, paddings }) => {
  const around = [[0, 0], ...paddings, ...x.shape.slice(1 + blockShape.length).map(() => [0, 0])];
  if (sizeOf(x.shape) === 0) return null;
  const whole = pad(g, x, around, 0);
  const size = sizeOf(blockShape);
  const apart = backend_util.getReshaped(whole.shape as number[], blockShape, size, false);
  const order = backend_util.getPermuted(apart.length, blockShape.length, false);
  const shape = backend_util.getReshapedPermuted(whole.shape as number[], blockShape, size, false);
  return reshape(g, transpose(reshape(g, whole, apart), order), shape);
});
define<BatchToSpaceNDAttrs>("BatchToSpaceND", (g, { x }, { blockShape, crops }) => {
  if (sizeOf(x.shape) === 0) return null;
  const size = sizeOf(blockShape);
  const apart = backend_util.getReshaped(x.shape as number[], blockShape, size);
  const order = backend_util.getPermuted(apart.length, blockShape.length);
  const shape = backend_util.getReshapedPermuted(x.shape as number[], blockShape, size);
  const around = [[0, 0], ...crops, ...shape.slice(1 + blockShape.length).map(() => [0, 0])];
  const begin = around.map(([before]) => before!);
  const left = shape.map((dim, i) => dim - around[i]![0]! - around[i]![1]!);
  return slice(g, reshape(g, transpose(reshape(g, x, apart), order), shape), begin, left);
});
define<DepthToSpaceAttrs>("DepthToSpace", (g, { x }, { blockSize: b, dataFormat }) => {
  if (sizeOf(x.shape) === 0) return null;
  const images = dataFormat === "NHWC" ? x : transpose(x, [0, 2, 3, 1]);
  const [n, h, w, c] = images.shape as [number, number, number, number];
  const apart = reshape(g, images, [n, h, w, b, b, c / (b * b)]);
  const out = reshape(g, transpose(apart, [0, 1, 3, 2, 4, 5]), [n, h * b, w * b, c / (b * b)]);
  return dataFormat === "NHWC" ? out : transpose(out, [0, 3, 1, 2]);
});
