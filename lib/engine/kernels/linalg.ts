/** Kernels of linear algebra, and those that normalise. */
import type {
  _FusedMatMulAttrs,
  BatchMatMulAttrs,
  EinsumAttrs,
  FusedBatchNormAttrs,
  LogSoftmaxAttrs,
  SoftmaxAttrs,
} from "@tensorflow/tfjs-core";
import { backend_util } from "@tensorflow/tfjs-core";
import { type Arr, arr, batchedProduct, broadcast, elementwise, full, fullAs, nchw, reshape } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { add, cast, clip, float, mul, prelu, scalar, sub } from "./elementwise.ts";
import { define, type Inputs } from "./registry.ts";

/** A matrix operand: a transposed view of the last two axes is taken as it is stored. */
function operand(g: Graph, a: Arr, transposed: boolean): { value: Value; transposed: boolean } {
  const rank = a.shape.length;
  const swapped = a.perm?.every((axis, i) => axis === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  if (swapped) return { value: fullAs(g, a, a.perm!), transposed: !transposed };
  return { value: full(g, a), transposed };
}

export function matMul(g: Graph, a: Arr, b: Arr, transposeA: boolean, transposeB: boolean): Arr {
  const { type } = a.value;
  if (type !== "float32") {
    const product = matMul(g, float(g, a), float(g, b), transposeA, transposeB);
    return cast(g, product, type === "bool" ? "int32" : type);
  }
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  if (inner !== b.shape.at(transposeB ? -1 : -2)) {
    throw new Error(
      `Error in matMul: inner shapes (${inner}) and (${b.shape.at(transposeB ? -1 : -2)}) of Tensors with shapes ${a.shape} and ${b.shape} and transposeA=${transposeA} and transposeB=${transposeB} must match.`,
    );
  }
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  if (sizeOf(batch) === 1) {
    const [x, y] = [reshape(g, a, a.shape.slice(-2)), reshape(g, b, b.shape.slice(-2))];
    const [p, q] = [operand(g, x, transposeA), operand(g, y, transposeB)];
    const value =
      p.transposed || q.transposed
        ? g.op("Gemm", [p.value, q.value], [rows, columns], type, {
            transA: Number(p.transposed),
            transB: Number(q.transposed),
          })
        : g.op("MatMul", [p.value, q.value], [rows, columns], type);
    return reshape(g, arr(value), shape);
  }
  // Many rows against one matrix are one product.
  if (sizeOf(b.shape.slice(0, -2)) === 1 && !transposeA) {
    const flat = reshape(g, a, [sizeOf(batch) * rows, inner]);
    const matrix = reshape(g, b, b.shape.slice(-2));
    return reshape(g, matMul(g, flat, matrix, false, transposeB), shape);
  }
  const [p, q] = [operand(g, a, transposeA), operand(g, b, transposeB)];
  return arr(batchedProduct(g, p.value, q.value, shape, p.transposed, q.transposed));
}
define<BatchMatMulAttrs>("BatchMatMul", (g, { a, b }, { transposeA, transposeB }) =>
  sizeOf(a.shape) === 0 || sizeOf(b.shape) === 0 ? null : matMul(g, a, b, transposeA, transposeB),
);

/** The activation that a fused kernel ends with. */
export function activate(g: Graph, x: Arr, name: string | undefined, weights?: Arr, leak?: number): Arr {
  switch (name) {
    case undefined:
    case null:
    case "linear":
      return x;
    case "relu":
      return elementwise(g, "Relu", [x], "float32");
    case "relu6":
      return clip(g, x, 0, 6);
    case "elu":
      return elementwise(g, "Elu", [x], "float32");
    case "sigmoid":
      return elementwise(g, "Sigmoid", [x], "float32");
    case "leakyrelu":
      return elementwise(g, "LeakyRelu", [x], "float32", { alpha: { float: leak ?? 0.2 } });
    case "prelu":
      return prelu(g, x, weights!);
    default:
      throw new Error(`Activation ${name} is not known.`);
  }
}
define<_FusedMatMulAttrs>("_FusedMatMul", (g, inputs, { transposeA, transposeB, activation, leakyreluAlpha }) => {
  const { a, b, bias, preluActivationWeights } = inputs as Inputs & { bias?: Arr; preluActivationWeights?: Arr };
  let out = matMul(g, a, b, transposeA, transposeB);
  if (bias) out = add(g, out, bias);
  return activate(g, out, activation, preluActivationWeights, leakyreluAlpha);
});

define<EinsumAttrs>("Einsum", (g, inputs, { equation }) => {
  const arrays = Object.values(inputs) as Arr[];
  const { allDims, idDims } = backend_util.decodeEinsumEquation(equation, arrays.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, arrays.map(({ shape }) => ({ shape })) as never);
  if (arrays.some((a) => a.value.type !== "float32" || sizeOf(a.shape) === 0)) return null;
  const [left, right] = equation.replaceAll(" ", "").split("->") as [string, string];
  const dims = new Map<string, number>();
  left.split(",").forEach((names, i) => {
    [...names].forEach((name, axis) => {
      dims.set(name, arrays[i]!.shape[axis]!);
    });
  });
  const shape = [...right].map((name) => dims.get(name)!);
  return arr(
    g.op(
      "Einsum",
      arrays.map((a) => full(g, a)),
      shape,
      "float32",
      { equation: equation.replaceAll(" ", "") },
    ),
  );
});

define<SoftmaxAttrs>("Softmax", (g, { logits }) => {
  if (sizeOf(logits.shape) === 0) return null;
  return arr(g.op("Softmax", [full(g, float(g, logits))], logits.shape, "float32", { axis: -1 }));
});
define<LogSoftmaxAttrs>("LogSoftmax", (g, { logits }) => {
  if (sizeOf(logits.shape) === 0) return null;
  return arr(g.op("LogSoftmax", [full(g, float(g, logits))], logits.shape, "float32", { axis: -1 }));
});

define<FusedBatchNormAttrs>("FusedBatchNorm", (g, inputs, { varianceEpsilon }) => {
  const { x, mean, variance } = inputs;
  const { scale, offset } = inputs as { scale?: Arr; offset?: Arr };
  const perChannel = [mean, variance, scale, offset].every((a) => a === undefined || a.shape.length === 1);
  if (x.shape.length === 4 && perChannel) {
    const channels = x.shape[3]!;
    const vector = (a: Arr | undefined, fill: number): Value =>
      a ? full(g, a) : g.constant(new Float32Array(channels).fill(fill), [channels], "float32");
    const values = [fullAs(g, x, nchw), vector(scale, 1), vector(offset, 0), full(g, mean), full(g, variance)];
    const shape = values[0]!.shape;
    return arr(
      g.op("BatchNormalization", values, shape, "float32", { epsilon: { float: varianceEpsilon } }),
      x.shape,
      nchw,
    );
  }
  const root = elementwise(g, "Sqrt", [add(g, variance, scalar(g, varianceEpsilon))], "float32");
  let factor = elementwise(g, "Reciprocal", [root], "float32");
  if (scale) factor = mul(g, factor, scale);
  const out = mul(g, sub(g, x, mean), factor);
  return offset ? add(g, out, offset) : out;
});
