/** What a convolution knows of its window, and how ONNX is told. */
import type { backend_util } from "@tensorflow/tfjs-core";

export type Info = backend_util.Conv2DInfo;

/** The attributes of a convolution in NCHW. */
export const window = (info: Info, group = 1) => ({
  kernel_shape: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  dilations: [info.dilationHeight, info.dilationWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
  group,
});
