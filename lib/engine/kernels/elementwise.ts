/** Kernels that work element by element. */
import type { CastAttrs, ClipByValueAttrs, LeakyReluAttrs, StepAttrs } from "@tensorflow/tfjs-core";
import { type Arr, arr, broadcast, elementwise, filledWith, reshape } from "../graph/arr.ts";
import { type Graph, sameShape } from "../graph/graph.ts";
import { positive } from "../graph/pooling.ts";
import type { ElementType } from "../onnx/writer.ts";
import { define } from "./registry.ts";

export const scalar = (g: Graph, x: number, type: ElementType = "float32"): Arr => arr(g.scalar(x, type), []);

export function cast(g: Graph, a: Arr, type: ElementType): Arr {
  if (a.value.type === type) return a;
  const filled = filledWith(a);
  if (filled !== null && type !== "int64") {
    const x = type === "bool" ? Number(filled !== 0) : type === "int32" ? Math.trunc(filled) : filled;
    return arr(reshape(g, scalar(g, x, type), new Array(a.shape.length).fill(1)).value, a.shape);
  }
  return elementwise(g, "Cast", [a], type, {
    to: { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 }[type],
  });
}

export const float = (g: Graph, a: Arr): Arr => cast(g, a, "float32");

const folds: { readonly [op: string]: (a: number, b: number) => number } = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

/** An arithmetic operation of two arrays of one type, with what is known at compile time worked out. */
export function arithmetic(g: Graph, op: string, a: Arr, b: Arr): Arr {
  const shape = broadcast(a.shape, b.shape);
  if (a.value.type === "float32") {
    const [x, y] = [filledWith(a), filledWith(b)];
    const fold = folds[op];
    if (x !== null && y !== null && fold) {
      const folded = scalar(g, Math.fround(fold(x, y)));
      return arr(reshape(g, folded, new Array(shape.length).fill(1)).value, shape);
    }
    const neutralB = op === "Mul" || op === "Div" ? 1 : op === "Add" || op === "Sub" ? 0 : null;
    if (y !== null && y === neutralB) return widened(g, a, shape);
    if (x !== null && ((op === "Mul" && x === 1) || (op === "Add" && x === 0))) return widened(g, b, shape);
  }
  const type = a.value.type;
  if (type !== "bool") return elementwise(g, op, [a, b], type);
  return cast(g, elementwise(g, op, [cast(g, a, "int32"), cast(g, b, "int32")], "int32"), "bool");
}

/** The same numbers seen under the shape that broadcasting gives. */
function widened(g: Graph, a: Arr, shape: readonly number[]): Arr {
  if (sameShape(a.shape, shape)) return a;
  if (a.shape.length === shape.length) return arr(a.value, shape, a.perm);
  const padded = reshape(g, a, [...new Array(shape.length - a.shape.length).fill(1), ...a.shape]);
  return arr(padded.value, shape, padded.perm);
}

export const add = (g: Graph, a: Arr, b: Arr): Arr => arithmetic(g, "Add", a, b);
export const sub = (g: Graph, a: Arr, b: Arr): Arr => arithmetic(g, "Sub", a, b);
export const mul = (g: Graph, a: Arr, b: Arr): Arr => arithmetic(g, "Mul", a, b);
export const div = (g: Graph, a: Arr, b: Arr): Arr => arithmetic(g, "Div", a, b);

/** Chooses between two arrays; ONNX Runtime has no choice between truth values. */
export function where(g: Graph, condition: Arr, t: Arr, e: Arr): Arr {
  const mask = cast(g, condition, "bool");
  if (t.value.type !== "bool") return elementwise(g, "Where", [mask, t, e], t.value.type);
  return cast(g, elementwise(g, "Where", [mask, cast(g, t, "int32"), cast(g, e, "int32")], "int32"), "bool");
}

// Functions of one real number; whole numbers become real.
for (const op of "Exp Log Sqrt Sigmoid Tanh Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Erf Softplus Reciprocal".split(
  " ",
))
  define(op, (g, { x }) => elementwise(g, op, [float(g, x)], "float32"));
// Functions that keep the type.
for (const op of ["Abs", "Neg"])
  define(op, (g, { x }) => (x.value.type === "bool" ? x : elementwise(g, op, [x], x.value.type)));
for (const op of ["Floor", "Ceil", "Round"])
  define(op, (g, { x }) => (x.value.type === "float32" ? elementwise(g, op, [x], "float32") : x));

define("Rsqrt", (g, { x }) => {
  const root = elementwise(g, "Sqrt", [float(g, x)], "float32");
  return elementwise(g, "Reciprocal", [root], "float32");
});
define("Square", (g, { x }) => arithmetic(g, "Mul", x, x));
define("Sign", (g, { x }) => {
  if (x.value.type !== "float32") return elementwise(g, "Sign", [cast(g, x, "int32")], "int32");
  const sign = elementwise(g, "Sign", [x], "float32");
  return where(g, elementwise(g, "IsNaN", [x], "bool"), scalar(g, 0), sign);
});
define("Relu", (g, { x }) => {
  if (x.value.type !== "float32") return elementwise(g, "Max", [cast(g, x, "int32"), scalar(g, 0, "int32")], "int32");
  return elementwise(g, "Relu", [x], "float32");
});
define("Relu6", (g, { x }) => cast(g, clip(g, float(g, x), 0, 6), x.value.type));
define("Elu", (g, { x }) => elementwise(g, "Elu", [float(g, x)], "float32"));
define("EluGrad", (g, { dy, y }) => {
  const negative = elementwise(g, "Min", [y, scalar(g, 0)], "float32");
  return mul(g, dy, add(g, negative, scalar(g, 1)));
});
define("Selu", (g, { x }) =>
  elementwise(g, "Selu", [float(g, x)], "float32", {
    alpha: { float: 1.6732632423543772 },
    gamma: { float: 1.0507009873554805 },
  }),
);
define<LeakyReluAttrs>("LeakyRelu", (g, { x }, { alpha }) =>
  elementwise(g, "LeakyRelu", [float(g, x)], "float32", { alpha: { float: alpha } }),
);
export function prelu(g: Graph, x: Arr, alpha: Arr): Arr {
  const zero = scalar(g, 0);
  const above = elementwise(g, "Relu", [x], "float32");
  return add(g, above, mul(g, alpha, elementwise(g, "Min", [x, zero], "float32")));
}
define("Prelu", (g, { x, alpha }) => prelu(g, float(g, x), float(g, alpha)));
define<StepAttrs>("Step", (g, { x }, { alpha }) => {
  const real = float(g, x);
  const slope = arr(positive(g, real.value), real.shape, real.perm);
  // 1 where positive, alpha elsewhere.
  const values = alpha ? add(g, mul(g, slope, scalar(g, 1 - alpha)), scalar(g, alpha)) : slope;
  return cast(g, values, x.value.type);
});
define("Expm1", (g, { x }) => sub(g, elementwise(g, "Exp", [float(g, x)], "float32"), scalar(g, 1)));
define("Log1p", (g, { x }) => elementwise(g, "Log", [add(g, float(g, x), scalar(g, 1))], "float32"));
export function clip(g: Graph, x: Arr, min: number, max: number): Arr {
  const { type } = x.value;
  return elementwise(g, "Clip", [x, scalar(g, min, type), scalar(g, max, type)], type);
}
define<ClipByValueAttrs>("ClipByValue", (g, { x }, { clipValueMin, clipValueMax }) => {
  if (x.value.type === "float32") return clip(g, x, clipValueMin, clipValueMax);
  return clip(g, cast(g, x, "int32"), Math.trunc(clipValueMin), Math.trunc(clipValueMax));
});
define<CastAttrs>("Cast", (g, { x }, { dtype }) => (isArray(dtype) ? cast(g, x, dtype) : null));
const isArray = (dtype: string): dtype is "float32" | "int32" | "bool" =>
  dtype === "float32" || dtype === "int32" || dtype === "bool";

define("LogicalNot", (g, { x }) => elementwise(g, "Not", [cast(g, x, "bool")], "bool"));
define("IsNan", (g, { x }) => elementwise(g, "IsNaN", [float(g, x)], "bool"));
define("IsInf", (g, { x }) => elementwise(g, "IsInf", [float(g, x)], "bool"));
define("IsFinite", (g, { x }) => {
  // x·0 is 0 for finite x and NaN for all others.
  const zero = elementwise(g, "Mul", [float(g, x), scalar(g, 0)], "float32");
  return elementwise(g, "Not", [elementwise(g, "IsNaN", [zero], "bool")], "bool");
});

// Functions of two numbers of one type.
for (const [kernel, op] of [
  ["Add", "Add"],
  ["Sub", "Sub"],
  ["Multiply", "Mul"],
  ["Maximum", "Max"],
  ["Minimum", "Min"],
] as const)
  define(kernel, (g, { a, b }) => arithmetic(g, op, a, b));
define("Pow", (g, { a, b }) => (filledWith(b) === 2 ? arithmetic(g, "Mul", a, a) : arithmetic(g, "Pow", a, b)));
define("RealDiv", (g, { a, b }) => div(g, float(g, a), float(g, b)));
define("SquaredDifference", (g, { a, b }) => {
  const d = sub(g, a, b);
  return mul(g, d, d);
});
// Whole numbers are divided as double precision ones: exact, and a division by zero is not a trap of the processor.
define("FloorDiv", (g, { a, b }) => {
  const { type } = a.value;
  const wide = type === "float32" ? "float32" : "float64";
  const quotient = elementwise(g, "Div", [cast(g, a, wide), cast(g, b, wide)], wide);
  return cast(g, elementwise(g, "Floor", [quotient], wide), "int32");
});
define("Mod", (g, { a, b }) => {
  const { type } = a.value;
  const wide = type === "float32" ? "float32" : "float64";
  const [x, y] = [cast(g, a, wide), cast(g, b, wide)];
  const rest = elementwise(g, "Mod", [x, y], wide, { fmod: 1 });
  const sum = elementwise(g, "Add", [rest, y], wide);
  return cast(g, elementwise(g, "Mod", [sum, y], wide, { fmod: 1 }), type);
});
define("Atan2", (g, { a, b }) => {
  const [y, x] = [float(g, a), float(g, b)];
  const zero = scalar(g, 0);
  const angle = elementwise(g, "Atan", [div(g, y, x)], "float32");
  const half = where(g, elementwise(g, "Less", [y, zero], "bool"), scalar(g, -Math.PI), scalar(g, Math.PI));
  const turned = where(g, elementwise(g, "Less", [x, zero], "bool"), add(g, angle, half), angle);
  // On the vertical axis the quotient is infinite, or no number.
  const upright = mul(g, elementwise(g, "Sign", [y], "float32"), scalar(g, Math.PI / 2));
  return where(g, elementwise(g, "Equal", [x, zero], "bool"), upright, turned);
});
define("BitwiseAnd", (g, { a, b }) => elementwise(g, "BitwiseAnd", [a, b], "int32"));

for (const [kernel, op] of [
  ["Greater", "Greater"],
  ["GreaterEqual", "GreaterOrEqual"],
  ["Less", "Less"],
  ["LessEqual", "LessOrEqual"],
  ["Equal", "Equal"],
] as const)
  define(kernel, (g, { a, b }) => {
    const [x, y] = a.value.type === "bool" ? [cast(g, a, "int32"), cast(g, b, "int32")] : [a, b];
    return elementwise(g, op, [x, y], "bool");
  });
define("NotEqual", (g, { a, b }) => {
  const [x, y] = a.value.type === "bool" ? [cast(g, a, "int32"), cast(g, b, "int32")] : [a, b];
  return elementwise(g, "Not", [elementwise(g, "Equal", [x, y], "bool")], "bool");
});
define("LogicalAnd", (g, { a, b }) => elementwise(g, "And", [cast(g, a, "bool"), cast(g, b, "bool")], "bool"));
define("LogicalOr", (g, { a, b }) => elementwise(g, "Or", [cast(g, a, "bool"), cast(g, b, "bool")], "bool"));
define("Select", (g, { condition, t, e }) => where(g, condition, t, e));
define("AddN", (g, inputs) => (Object.values(inputs) as Arr[]).reduce((sum, x) => add(g, sum, x)));
