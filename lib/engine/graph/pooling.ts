/** The gradient of max pooling over windows that tile the input, as a graph. */
import { type Graph, sizeOf, type Value } from "./graph.ts";
import { target } from "./target.ts";

/** Largest slope that single precision can hold: 1 for every positive number, 0 for all others, in one operation. */
const steep = 3.4e38;

/** 1 where positive, 0 elsewhere: the slope of a rectifier. */
export const positive = (g: Graph, x: Value): Value =>
  g.op("HardSigmoid", [x], x.shape, "float32", { alpha: { float: steep }, beta: { float: 0 } });

/** What `positive` was asked about, or null when the value is something else. */
export function positiveOf({ node }: Value): Value | null {
  if (node?.op !== "HardSigmoid") return null;
  return (node.attributes!.alpha as { float: number }).float === steep ? node.inputs[0]! : null;
}

export const upsample = (g: Graph, x: Value, shape: readonly number[]): Value => {
  const scales = g.constant(
    Float32Array.from(shape, (dim, i) => dim / x.shape[i]!),
    [4],
    "float32",
  );
  const attributes = { mode: "nearest", nearest_mode: "floor", coordinate_transformation_mode: "asymmetric" };
  return g.op("Resize", [x, null, scales], shape, "float32", attributes);
};

/**
 * Sends each window's gradient to the first of its largest elements, as a scan of the window finds it.
 *
 * Every place of a window has a code, larger for earlier places. The largest code among the elements equal to the window's
 * maximum `y` names the place. Ties matter: on images with constant borders most windows are tied.
 */
export function unpool(g: Graph, x: Value, y: Value, dy: Value): Value {
  const [n, c, height, width] = x.shape as [number, number, number, number];
  const [h, w] = [y.shape[2]!, y.shape[3]!];
  const [kh, kw] = [height / h, width / w];
  const first = (kh - 1) * width + kw;
  const codes = new Float32Array(height * width);
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) codes[i * width + j] = first - ((i % kh) * width + (j % kw));
  const hit = g.op("Equal", [x, upsample(g, y, x.shape)], x.shape, "bool");
  const isHit = g.op("Cast", [hit], x.shape, "float32", { to: 1 });
  const coded = g.op("Mul", [isHit, g.constant(codes, [1, 1, height, width], "float32")], x.shape, "float32");
  const pool = { kernel_shape: [kh, kw], strides: [kh, kw], pads: [0, 0, 0, 0] };
  const code = g.op("MaxPool", [coded], y.shape, "float32", pool);
  if (target.provider !== "cpu") {
    // Devices have no operation that places numbers by index.
    const chosen = g.op("Equal", [coded, upsample(g, code, x.shape)], x.shape, "bool");
    const mask = g.op("Cast", [chosen], x.shape, "float32", { to: 1 });
    return g.op("Mul", [upsample(g, dy, x.shape), mask], x.shape, "float32");
  }
  const base = new BigInt64Array(sizeOf(y.shape));
  let at = 0;
  for (let image = 0; image < n * c; image++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++) base[at++] = BigInt((image * height + i * kh) * width + j * kw + first);
  const whole = g.op("Cast", [code], y.shape, "int64", { to: 7 });
  const place = g.op("Sub", [g.constant(base, y.shape, "int64"), whole], y.shape, "int64");
  const attributes = { kernel_shape: [kh, kw], strides: [kh, kw] };
  return g.op("MaxUnpool", [dy, place, g.int64(x.shape)], x.shape, "float32", attributes);
}

/** The pooled array and the gradient that went into `unpool`, or null when the value is something else. */
export function unpooled(value: Value): { x: Value; dy: Value } | null {
  if (value.node?.op !== "MaxUnpool") return null;
  const [dy, place] = value.node.inputs as [Value, Value];
  const code = place.node!.inputs[1]!.node!.inputs[0]!;
  const hit = code.node!.inputs[0]!.node!.inputs[0]!.node!.inputs[0]!;
  return { x: hit.node!.inputs[0]!, dy };
}
