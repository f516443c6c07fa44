/** Operations that ONNX Runtime's processor has for what normalisation writes out. */
import { batchedProduct, reshapeValue } from "./arr.ts";
import { constantNumber, type Graph, type Node, sameShape, sizeOf, type Value } from "./graph.ts";
import { target } from "./target.ts";

type At = (value: Value) => Value;

/**
 * The reciprocal standard deviation of each row, `1 / √(mean (x − mean x)² + ε)`, as one operation.
 *
 * Gives what ONNX's layer normalisation does: normal rows, means, and the reciprocals. Or null when the node is something else.
 */
export function rowNorm(g: Graph, node: Node, at: At): Value[] | null {
  const sum = inputOf(inputOf(node, "Sqrt"), "Add");
  if (target.provider !== "cpu" || !sum) return null;
  const [variance, epsilon] = sum.inputs as [Value, Value];
  const squares = inputOf(inputOf(sum, "ReduceMean"), "Mul");
  const centred = squares?.inputs[0];
  const mean = centred?.node?.op === "Sub" ? centred.node.inputs[1]!.node : null;
  const x = centred?.node?.inputs[0];
  const known = constantNumber(epsilon);
  if (!x || known === null || squares!.inputs[1] !== centred || mean?.op !== "ReduceMean" || mean.inputs[0] !== x)
    return null;
  const last = x.shape.length - 1;
  const isLast = ({ inputs, attributes }: Node): boolean =>
    attributes!.keepdims === 1 && constantNumber(inputs[1]!) === last;
  if (!isLast(mean) || !isLast(variance.node!)) return null;
  const width = x.shape[last]!;
  const ones = g.op("Expand", [g.scalar(1), g.int64([width])], [width], "float32");
  const results = [x.shape, variance.shape, variance.shape].map((shape) => ({ shape, type: x.type }));
  return g.ops("LayerNormalization", [at(x), ones], results, { axis: -1, epsilon: { float: known } });
}

/** The node of the first input when that is such an operation. */
const inputOf = (node: Node | null, op: string): Node | null => {
  const source = node?.inputs[0]?.node ?? null;
  return source?.op === op ? source : null;
};

/** `(x − mean) · reciprocal` of rows that `rowNorm` knows. */
export function normalRows(g: Graph, node: Node, at: At): Value | null {
  const [centred, inverse] = node.inputs as [Value, Value];
  if (inverse.node?.op !== "Reciprocal" || centred.node?.op !== "Sub") return null;
  const squares = ["Sqrt", "Add", "ReduceMean", "Mul"].reduce(inputOf, inverse.node as Node | null);
  return squares?.inputs[0] === centred ? (rowNorm(g, inverse.node, at)?.[0] ?? null) : null;
}

/** The two operands of an operation when the second is one number for each channel of the first, or null. */
function byChannel({ node, shape }: Value, op: string): readonly [Value, Value] | null {
  if (node?.op !== op) return null;
  const channels = shape[1]!;
  const isVector = (v: Value): boolean => sizeOf(v.shape) === channels && v.shape.at(-3) === channels;
  const [p, q] = node.inputs as [Value, Value];
  if (isVector(q) && sameShape(p.shape, shape)) return [p, q];
  return op !== "Sub" && isVector(p) && sameShape(q.shape, shape) ? [q, p] : null;
}

/** `x · factor + term + added` by channel, and rectified: a convolution of each channel with one number, in one pass. */
function scaled(
  g: Graph,
  x: Value,
  factor: Value,
  term: Value | null,
  added?: Value | null,
  activation?: "Relu",
): Value {
  const channels = x.shape[1]!;
  const bias = term && reshapeValue(g, term, [channels]);
  const inputs = [x, reshapeValue(g, factor, [channels, 1, 1, 1]), bias, ...(added ? [added] : [])];
  const attributes = { kernel_shape: [1, 1], group: channels, ...(activation ? { activation } : {}) };
  const domain = added || activation ? "com.microsoft" : "";
  return g.op(domain ? "FusedConv" : "Conv", inputs, x.shape, x.type, attributes, domain);
}

/** Images of at least this many places gain: each channel of an image is a product of its own. */
const leastPlaces = 256;
const gains = ({ shape }: Value): boolean =>
  target.provider === "cpu" && shape.length === 4 && shape[2]! * shape[3]! >= leastPlaces;

/** A rectifier after `x · factor + term`, as batch normalisation ends, or after the sum of that with other images. */
export function rectifiedChannels(g: Graph, node: Node, uses: ReadonlyMap<Value, number>, at: At): Value | null {
  const before = node.inputs[0]!;
  if (!gains(before)) return null;
  const rectified = (sum: Value, added: Value | null): Value | null => {
    const terms = byChannel(sum, "Add");
    const factors = terms && byChannel(terms[0], "Mul");
    return factors && scaled(g, at(factors[0]), at(factors[1]), at(terms[1]), added && at(added), "Relu");
  };
  const alone = rectified(before, null);
  if (alone || before.node?.op !== "Add") return alone;
  const [p, q] = before.node.inputs as [Value, Value];
  if (!sameShape(p.shape, q.shape)) return null;
  return (uses.get(p) === 1 ? rectified(p, q) : null) ?? (uses.get(q) === 1 ? rectified(q, p) : null);
}

/** `(dy − mean) · slope − centred · back` by channel, the gradient of batch normalisation. */
export function normalGradient(g: Graph, node: Node, at: At): Value | null {
  if (!gains(node.outputs[0]!)) return null;
  const [gradient, correction] = node.inputs as [Value, Value];
  const steep = byChannel(gradient, "Mul");
  const shifted = steep && byChannel(steep[0], "Sub");
  const back = byChannel(correction, "Mul");
  if (!shifted || !back || !sameShape(gradient.shape, correction.shape)) return null;
  const slope = at(steep[1]);
  const { shape, type } = slope;
  const term = g.op("Neg", [g.op("Mul", [at(shifted[1]), slope], shape, type)], shape, type);
  const rest = scaled(g, at(back[0]), g.op("Neg", [at(back[1])], back[1].shape, type), term);
  return scaled(g, at(shifted[0]), slope, null, rest);
}

/** Images of at least this many places gain: the product then costs less than writing down what is summed. */
const leastSummed = 512;

/** The sum over images and places of the products of two arrays, for each channel: products of a row and a column. */
export function channelProduct(g: Graph, node: Node, uses: ReadonlyMap<Value, number>, at: At): Value | null {
  const product = node.inputs[0]!;
  const axes = node.inputs[1]?.leaf?.kind === "constant" ? node.inputs[1].leaf.data.join() : "";
  if (target.provider !== "cpu" || product.node?.op !== "Mul" || uses.get(product) !== 1 || axes !== "0,2,3")
    return null;
  const [n, c, height, width] = product.shape as [number, number, number, number];
  const [p, q] = product.node.inputs as [Value, Value];
  if (!sameShape(p.shape, product.shape) || !sameShape(q.shape, product.shape) || height * width < leastSummed)
    return null;
  const flat = (v: Value): Value => reshapeValue(g, at(v), [n * c, 1, height * width]);
  const each = batchedProduct(g, flat(p), flat(q), [n * c, 1, 1], false, true);
  const inputs = [reshapeValue(g, each, [n, c]), g.int64([0])];
  const sum = g.op("ReduceSum", inputs, [c], product.type, { keepdims: 0 });
  const isMean = node.op === "ReduceMean";
  const scaled = isMean ? g.op("Mul", [sum, g.scalar(1 / (n * height * width))], [c], product.type) : sum;
  return reshapeValue(g, scaled, node.outputs[0]!.shape);
}

/** The sum or mean over leading axes as a product with ones: ONNX Runtime's own sums over columns lose by a second thread. */
export function columnSums(g: Graph, node: Node, at: At): Value | null {
  const [x, axes] = node.inputs as [Value, Value | undefined];
  const out = node.outputs[0]!;
  if (target.provider !== "cpu" || x.type !== "float32" || axes?.leaf?.kind !== "constant") return null;
  const count = axes.leaf.data.length;
  const isLeading = Array.from(axes.leaf.data as BigInt64Array, Number).every((axis, i) => axis === i);
  const [rows, columns] = [sizeOf(x.shape.slice(0, count)), sizeOf(x.shape.slice(count))];
  if (!isLeading || rows < 2 || columns < 8) return null;
  const ones = g.op("Expand", [g.scalar(1), g.int64([1, rows])], [1, rows], "float32");
  const sum = g.op("MatMul", [ones, reshapeValue(g, at(x), [rows, columns])], [1, columns], "float32");
  const result = node.op === "ReduceMean" ? g.op("Div", [sum, g.scalar(rows)], [1, columns], "float32") : sum;
  return reshapeValue(g, result, out.shape);
}
