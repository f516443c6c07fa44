/**
 * Rewrites a recorded graph into one that computes the same with fewer and larger operations.
 *
 * ONNX Runtime does some of this itself, but not with operands that change from step to step.
 */
import { oihw, permute, reshapeValue, transposeValue } from "./arr.ts";
import { constantNumber, Graph, type Node, sameShape, sizeOf, type Value } from "./graph.ts";
import { reach } from "./lower.ts";
import { channelProduct, columnSums, normalGradient, normalRows, rectifiedChannels, rowNorm } from "./normal.ts";
import { positive, positiveOf, unpool, unpooled } from "./pooling.ts";
import { target } from "./target.ts";

/** What a graph becomes. */
export interface Rewritten {
  readonly outputs: Value[];
  /** The new value of each old leaf that is still used; a filter is fed as O, I, H, W when `layout` says so. */
  readonly leaves: ReadonlyMap<Value, { readonly value: Value; readonly filter: boolean }>;
}

/** Leaves that a convolution uses as a filter. */
export function filterLeaves(outputs: readonly Value[]): Set<Value> {
  const filters = new Set<Value>();
  for (const { op, attributes, inputs } of reach(outputs).nodes) {
    if (op === "Transpose" && sameShape(attributes!.perm as number[], oihw) && inputs[0]!.leaf) filters.add(inputs[0]!);
  }
  return filters;
}

/**
 * Rewrites the graph of some outputs.
 *
 * `filters` are leaves of rank 4 that are to be fed as O, I, H, W instead of H, W, I, O.
 */
export function rewrite(outputs: readonly Value[], filters: ReadonlySet<Value>, fuse: boolean): Rewritten {
  const { nodes, leaves } = reach(outputs);
  const g = new Graph();
  const facts = collect(nodes, outputs);
  const to = new Map<Value, Value>();
  const fed = new Map<Value, { value: Value; filter: boolean }>();
  for (const leaf of leaves) {
    if (leaf.leaf!.kind === "constant") {
      to.set(leaf, leaf);
      continue;
    }
    const filter = filters.has(leaf);
    const value = filter ? g.input(permute(leaf.shape, oihw), leaf.type, leaf) : leaf;
    fed.set(leaf, { value, filter });
    to.set(leaf, filter ? transposeValue(g, value, [2, 3, 1, 0]) : value);
  }
  const at = (value: Value): Value => to.get(value)!;
  for (const node of nodes) {
    g.label = node.label;
    const result = fuse ? fused(g, node, facts, at) : null;
    if (result) {
      to.set(node.outputs[0]!, result);
      continue;
    }
    const inputs = node.inputs.map((input) => (input ? at(input) : null));
    if (node.op === "Transpose") {
      to.set(node.outputs[0]!, transposeValue(g, inputs[0]!, node.attributes!.perm as number[]));
    } else if (node.op === "Reshape") {
      to.set(node.outputs[0]!, reshapeValue(g, inputs[0]!, node.outputs[0]!.shape));
    } else {
      const made = g.ops(node.op, inputs, node.outputs, node.attributes, node.domain);
      node.outputs.forEach((output, i) => {
        to.set(output, made[i]!);
      });
    }
  }
  return { outputs: outputs.map(at), leaves: fed };
}

interface Facts {
  /** How many operations and results use a value. */
  readonly uses: ReadonlyMap<Value, number>;
  /** The rectified value of a value. */
  readonly rectified: ReadonlyMap<Value, Value>;
}

function collect(nodes: readonly Node[], outputs: readonly Value[]): Facts {
  const uses = new Map<Value, number>();
  const rectified = new Map<Value, Value>();
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of nodes) {
    for (const input of node.inputs) if (input) use(input);
    if (node.op === "Relu") rectified.set(node.inputs[0]!, node.outputs[0]!);
  }
  outputs.forEach(use);
  return { uses, rectified };
}

const isProduct = (value: Value): boolean =>
  (value.node?.op === "MatMul" && value.shape.length === 2) ||
  (value.node?.op === "Gemm" && value.node.inputs.length === 2);

/** A fused operation for the node, or null. */
function fused(g: Graph, node: Node, facts: Facts, at: (value: Value) => Value): Value | null {
  switch (node.op) {
    case "Add":
      return (
        sumOfProduct(g, node, node.inputs[0]!, node.inputs[1]!, facts, at) ??
        sumOfProduct(g, node, node.inputs[1]!, node.inputs[0]!, facts, at) ??
        biased(g, node, facts, at)
      );
    case "Sub":
      return (
        sumOfProduct(g, node, node.inputs[0]!, node.inputs[1]!, facts, at, true) ??
        logSoftmax(g, node, at) ??
        normalGradient(g, node, at)
      );
    case "HardSigmoid":
      return rectifierSlope(g, node, facts, at);
    case "Reciprocal":
      return rowNorm(g, node, at)?.[2] ?? null;
    case "Relu":
      return rectifiedChannels(g, node, facts.uses, at);
    case "ReduceMean":
    case "ReduceSum":
      return channelProduct(g, node, facts.uses, at) ?? columnSums(g, node, at);
    case "MaxPool":
      return pooledRectifier(g, node, at);
    case "Mul":
      return normalRows(g, node, at) ?? pooledRectifierGradient(g, node, facts, at) ?? productTimes(g, node, facts, at);
    case "MatMul":
    case "FusedMatMul":
      return productOfScaled(g, node, at);
    default:
      return null;
  }
}

/**
 * `x ± s · (a b)` as one Gemm that starts from x.
 *
 * A step of gradient descent on a weight matrix then neither writes its gradient down nor reads it back.
 */
function sumOfProduct(
  g: Graph,
  node: Node,
  x: Value,
  other: Value,
  facts: Facts,
  at: (value: Value) => Value,
  negative = false,
): Value | null {
  const out = node.outputs[0]!;
  if (out.shape.length < 2 || out.type !== "float32" || facts.uses.get(other) !== 1) return null;
  let product = other;
  let scale: Value | null = null;
  if (other.node?.op === "Mul") {
    const [p, q] = other.node.inputs as [Value, Value];
    if (sizeOf(q.shape) === 1) [product, scale] = [p, q];
    else if (sizeOf(p.shape) === 1) [product, scale] = [q, p];
    else return null;
    if (facts.uses.get(product) !== 1) return null;
  }
  if (!sameShape(product.shape, out.shape)) return null;
  // A product may be seen under another shape: a filter's, or that of images.
  if (product.node?.op === "Reshape") {
    product = product.node.inputs[0]!;
    if (facts.uses.get(product) !== 1) return null;
  }
  const columns = out.shape.at(-1)!;
  const isWhole = sameShape(x.shape, out.shape);
  const isRow = sizeOf(x.shape) === columns && (x.shape.at(-1) ?? 1) === columns;
  if (!isProduct(product) || product.shape[1] !== columns || !(isWhole || isRow)) return null;
  const { node: source } = product;
  const transA = Number(source!.attributes?.transA ?? 0);
  const transB = Number(source!.attributes?.transB ?? 0);
  let [a, b] = [at(source!.inputs[0]!), at(source!.inputs[1]!)];
  let alpha = negative ? -1 : 1;
  if (scale) {
    const known = constantNumber(scale);
    if (known !== null) alpha *= known;
    else {
      const factor = reshapeValue(g, at(scale), []);
      if (sizeOf(a.shape) < sizeOf(b.shape)) a = g.op("Mul", [a, factor], a.shape, a.type);
      else b = g.op("Mul", [b, factor], b.shape, b.type);
    }
  }
  // A constant share of x is the Gemm's beta: a running mean of gradients is one operation.
  let beta = 1;
  let start = at(x);
  if (x.node?.op === "Mul" && facts.uses.get(x) === 1) {
    const [p, q] = x.node.inputs as [Value, Value];
    const [known, rest] = [constantNumber(p) ?? constantNumber(q), constantNumber(p) !== null ? q : p];
    if (known !== null && sameShape(rest.shape, x.shape)) [beta, start] = [known, at(rest)];
  }
  start = reshapeValue(g, start, isWhole ? product.shape : [columns]);
  const attributes = {
    ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
    ...(beta === 1 ? {} : { beta: { float: beta } }),
    transA,
    transB,
  };
  return reshapeValue(g, g.op("Gemm", [a, b, start], product.shape, out.type, attributes), out.shape);
}

/** A value that is another one times a known number, or null. */
function timesNumber({ node }: Value): { x: Value; by: number } | null {
  if (node?.op !== "Mul") return null;
  const [p, q] = node.inputs as [Value, Value];
  const by = constantNumber(q) ?? constantNumber(p);
  const x = constantNumber(q) !== null ? p : q;
  return by !== null && sameShape(x.shape, node.outputs[0]!.shape) ? { x, by } : null;
}

const isBatched = ({ op, outputs }: Node): boolean =>
  target.provider === "cpu" && (op === "MatMul" || op === "FusedMatMul") && outputs[0]!.shape.length > 2;

/** A batch of products times a number, which is given to the products. */
function batchTimes(g: Graph, { inputs, outputs, attributes }: Node, a: Value, b: Value, by: number): Value {
  const alpha = (attributes?.alpha as { float: number } | undefined)?.float ?? 1;
  const scaled = { ...attributes, alpha: { float: alpha * by } };
  return g.op("FusedMatMul", [a, b], outputs[0]!.shape, inputs[0]!.type, scaled, "com.microsoft");
}

/** `(s · a) b`, as attention scales its queries, is `s · (a b)` without a pass over a. */
function productOfScaled(g: Graph, node: Node, at: (value: Value) => Value): Value | null {
  if (!isBatched(node)) return null;
  const [a, b] = node.inputs as [Value, Value];
  const [p, q] = [timesNumber(a), timesNumber(b)];
  if (!p && !q) return null;
  return batchTimes(g, node, at(p?.x ?? a), at(q?.x ?? b), (p?.by ?? 1) * (q?.by ?? 1));
}

/** `s · (a b)` without a pass over the product. */
function productTimes(g: Graph, node: Node, facts: Facts, at: (value: Value) => Value): Value | null {
  const known = timesNumber(node.outputs[0]!);
  const product = known?.x.node;
  if (!product || !isBatched(product) || facts.uses.get(known.x) !== 1) return null;
  const [a, b] = product.inputs as [Value, Value];
  return batchTimes(g, product, at(a), at(b), known.by);
}

/** `x − max − log Σ exp(x − max)` over the last axis, which TensorFlow.js writes out. */
function logSoftmax(g: Graph, node: Node, at: (value: Value) => Value): Value | null {
  const [shifted, log] = node.inputs as [Value, Value];
  const most = shifted.node?.op === "Sub" ? shifted.node.inputs[1]!.node : null;
  const sum = log.node?.op === "Log" ? log.node.inputs[0]!.node : null;
  const exp = sum?.op === "ReduceSum" ? sum.inputs[0]!.node : null;
  if (most?.op !== "ReduceMax" || exp?.op !== "Exp" || exp.inputs[0] !== shifted) return null;
  const x = shifted.node!.inputs[0]!;
  const last = x.shape.length - 1;
  const isLast = ({ inputs }: Node): boolean => constantNumber(inputs[1]!) === last;
  if (most.inputs[0] !== x || !isLast(most) || !isLast(sum!) || !sameShape(x.shape, node.outputs[0]!.shape))
    return null;
  return g.op("LogSoftmax", [at(x)], x.shape, x.type, { axis: -1 });
}

/** A bias for each channel is part of the convolution. */
function biased(g: Graph, node: Node, facts: Facts, at: (value: Value) => Value): Value | null {
  const out = node.outputs[0]!;
  for (const [product, bias] of [node.inputs, [...node.inputs].reverse()] as [Value, Value][]) {
    if (product.node?.op !== "Conv" || product.node.inputs.length !== 2 || facts.uses.get(product) !== 1) continue;
    const channels = out.shape[1]!;
    if (sizeOf(bias.shape) !== channels || bias.shape.at(-3) !== channels) continue;
    const inputs = [at(product.node.inputs[0]!), at(product.node.inputs[1]!), reshapeValue(g, at(bias), [channels])];
    return g.op("Conv", inputs, out.shape, out.type, product.node.attributes);
  }
  return null;
}

/** The slope of a rectifier is read from what it gave, so that its input is not needed again. */
function rectifierSlope(g: Graph, node: Node, facts: Facts, at: (value: Value) => Value): Value | null {
  const x = positiveOf(node.outputs[0]!);
  const rectified = x && facts.rectified.get(x);
  const y = rectified && at(rectified); // nothing yet where the rectifier comes later in the graph
  return y ? positive(g, y) : null;
}

/** Rectifying the maxima is the same as taking the maxima of what is rectified, and a quarter of the work. */
function pooledRectifier(g: Graph, node: Node, at: (value: Value) => Value): Value | null {
  const relu = node.inputs[0]!.node;
  if (relu?.op !== "Relu" || node.outputs.length !== 1) return null;
  const out = node.outputs[0]!;
  const pooled = g.op("MaxPool", [at(relu.inputs[0]!)], out.shape, out.type, node.attributes);
  return g.op("Relu", [pooled], out.shape, out.type);
}

/** The gradient of both: places where the maximum is not positive get none, so ties among zeros do not matter. */
function pooledRectifierGradient(g: Graph, node: Node, facts: Facts, at: (value: Value) => Value): Value | null {
  for (const [gradient, slope] of [node.inputs, [...node.inputs].reverse()] as [Value, Value][]) {
    const of = positiveOf(slope);
    const pool = unpooled(gradient);
    if (!of || !pool || facts.uses.get(gradient) !== 1 || pool.x.node?.op !== "Relu") continue;
    if (of !== pool.x && facts.rectified.get(of) !== pool.x) continue;
    const x = at(pool.x.node.inputs[0]!);
    const { shape } = pool.dy;
    const k = shape.slice(2).map((dim, i) => x.shape[i + 2]! / dim);
    const y = g.op("MaxPool", [x], shape, "float32", { kernel_shape: k, strides: k, pads: [0, 0, 0, 0] });
    const dy = g.op("Mul", [at(pool.dy), positive(g, y)], shape, "float32");
    return unpool(g, x, y, dy);
  }
  return null;
}
