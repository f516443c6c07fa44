/** What each operation becomes under an axis over calls. */
import { batchedProduct, reshapeValue, transposeValue } from "./arr.ts";
import { type Graph, type Node, sizeOf, type Value } from "./graph.ts";
import { target } from "./target.ts";

/** An input of an operation as its rule sees it. */
export interface Lane {
  readonly value: Value;
  /** The shape within one call; the value has an axis over calls before it where it differs. */
  readonly shape: readonly number[];
  readonly differs: boolean;
}

/** An operation some of whose inputs differ from call to call. */
export interface Case {
  readonly g: Graph;
  readonly count: number;
  readonly node: Node;
  readonly inputs: readonly (Lane | null)[];
}

/** What an operation over all calls gives: its results, each with the leading axis; null where the rule does not know this form of it. */
export type Rule = (of: Case) => Value[] | null;

const rules = new Map<string, Rule>();

/** The rule of an operation, if it has one. */
export const ruleOf = (op: string): Rule | undefined => rules.get(op);

/** Gives operations a rule. */
export function rule(names: string, of: Rule): void {
  for (const name of names.split(" ")) rules.set(name, of);
}

/** The numbers of a value for every call, written out where they do not differ. */
export function everywhere(g: Graph, { value, shape, differs }: Lane, count: number): Value {
  if (differs) return value;
  const all = [count, ...shape];
  return g.op("Expand", [reshapeValue(g, value, [1, ...shape]), g.int64(all)], all, value.type);
}

/** The value of an input, if there is one. */
export const valueIn = (lane: Lane | null | undefined): Value | null => lane?.value ?? null;

/** The numbers of a constant, or null. */
const numbersOf = (lane: Lane | null | undefined): number[] | null =>
  lane?.value.leaf?.kind === "constant" ? Array.from(lane.value.leaf.data as Float32Array, Number) : null;

/** The value so that it broadcasts with others of `rank` axes within a call. */
function ranked(g: Graph, { value, shape, differs }: Lane, rank: number, count: number): Value {
  if (!differs || shape.length >= rank) return value;
  return reshapeValue(g, value, [count, ...new Array(rank - shape.length).fill(1), ...shape]);
}

/** The same operation with the leading axis on its one result. */
function same({ g, count, node }: Case, inputs: readonly (Value | null)[], attributes = node.attributes): Value[] {
  const results = node.outputs.map(({ shape, type }) => ({ shape: [count, ...shape], type }));
  return g.ops(node.op, inputs, results, attributes, node.domain);
}

rule(
  "Add Sub Mul Div Pow Max Min Neg Abs Exp Log Sqrt Reciprocal Tanh Sigmoid Relu Sign Cast Greater Less GreaterOrEqual LessOrEqual Equal And Or Not Where Identity Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Erf Softplus HardSigmoid Elu Selu LeakyRelu IsNaN IsInf Mod BitwiseAnd",
  (of) => {
    const rank = of.node.outputs[0]!.shape.length;
    return same(
      of,
      of.inputs.map((input) => input && ranked(of.g, input, rank, of.count)),
    );
  },
);
rule("Clip", (of) => {
  const [x, ...ends] = of.inputs;
  return ends.some((end) => end?.differs) ? null : same(of, [x!.value, ...ends.map(valueIn)]);
});

const float = (attribute: unknown, otherwise: number): number =>
  (attribute as { float: number } | undefined)?.float ?? otherwise;

/** `alpha · a b` for every call, either operand transposed. */
function product(
  { g, count }: Case,
  a: Lane,
  b: Lane,
  shape: readonly number[],
  turns: readonly [boolean, boolean],
  alpha: number,
): Value {
  const [m, n] = shape as [number, number];
  const k = a.shape[turns[0] ? 0 : 1]!;
  let value: Value;
  if (!b.differs && !turns[0]) {
    // The rows of all calls against one matrix are one product.
    const rows = reshapeValue(g, a.value, [count * m, k]);
    const flat = [count * m, n];
    const one = turns[1]
      ? g.op("Gemm", [rows, b.value], flat, a.value.type, { transA: 0, transB: 1 })
      : g.op("MatMul", [rows, b.value], flat, a.value.type);
    value = reshapeValue(g, one, [count, m, n]);
  } else value = batchedProduct(g, matrices(g, a), matrices(g, b), [count, m, n], ...turns);
  if (alpha === 1) return value;
  const { node } = value;
  if (target.provider !== "cpu" || node?.op === "Reshape")
    return g.op("Mul", [value, g.scalar(alpha)], value.shape, value.type);
  const attributes = { ...node!.attributes, alpha: { float: alpha } };
  return g.op("FusedMatMul", node!.inputs, value.shape, value.type, attributes, "com.microsoft");
}

const matrices = (g: Graph, { value, shape, differs }: Lane): Value =>
  differs ? value : reshapeValue(g, value, [1, ...shape]);

rule("Gemm", (of) => {
  const { g, count, node, inputs } = of;
  const [a, b, start] = inputs as [Lane, Lane, Lane | null | undefined];
  const { shape, type } = node.outputs[0]!;
  const { transA, transB, alpha, beta } = node.attributes ?? {};
  const result = product(of, a, b, shape, [Boolean(transA), Boolean(transB)], float(alpha, 1));
  if (!start) return [result];
  const share = float(beta, 1);
  const from = ranked(g, start, 2, count);
  const term = share === 1 ? from : g.op("Mul", [from, g.scalar(share)], from.shape, type);
  return [g.op("Add", [term, result], [count, ...shape], type)];
});
rule("MatMul FusedMatMul", (of) => {
  const { g, count, node, inputs } = of;
  const [a, b] = inputs as [Lane, Lane];
  const { shape } = node.outputs[0]!;
  const { transA, transB, alpha } = node.attributes ?? {};
  if (a.shape.length === 2 && b.shape.length === 2)
    return [product(of, a, b, shape, [Boolean(transA), Boolean(transB)], float(alpha, 1))];
  if (Math.min(a.shape.length, b.shape.length) < 2) return null;
  return same(
    of,
    [a, b].map((one) => ranked(g, one, shape.length, count)),
  );
});
rule("Einsum", (of) => {
  const [left, right] = String(of.node.attributes!.equation).split("->") as [string, string];
  const free = [..."zyxwvutsrqponmlkjihgfedcbaZYX"].find((name) => !left.includes(name))!;
  const terms = left.split(",").map((names, i) => (of.inputs[i]!.differs ? free + names : names));
  const values = of.inputs.map((input) => input!.value);
  return same(of, values, { ...of.node.attributes, equation: `${terms.join()}->${free}${right}` });
});

rule("ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd", (of) => {
  const [x, axes] = of.inputs as [Lane, Lane | undefined];
  const over = axes === undefined ? [...x.shape.keys()] : numbersOf(axes);
  return x.differs && over ? same(of, [x.value, of.g.int64(over.map((axis) => axis + Number(axis >= 0)))]) : null;
});

/** Moves an axis that is counted from the front. */
const moved = (axis: unknown): number => Number(axis ?? 0) + Number(Number(axis ?? 0) >= 0);

rule("ArgMax ArgMin Split", (of) => {
  const [x, ...rest] = of.inputs as [Lane, ...Lane[]];
  if (rest.some((one) => one.differs)) return null;
  const values = [x.value, ...rest.map(({ value }) => value)];
  return same(of, values, { ...of.node.attributes, axis: moved(of.node.attributes?.axis) });
});
rule("Softmax LogSoftmax", (of) => {
  const { axis } = of.node.attributes!;
  return same(of, [of.inputs[0]!.value], { ...of.node.attributes, axis: moved(axis) });
});
rule("TopK", (of) =>
  of.inputs[1]!.differs
    ? null
    : same(
        of,
        of.inputs.map((input) => input!.value),
      ),
);
rule("CumSum", (of) => {
  const axis = numbersOf(of.inputs[1]);
  return axis && same(of, [of.inputs[0]!.value, of.g.scalar(moved(axis[0]), "int64")]);
});
rule("LayerNormalization", (of) => {
  const [x, ...rest] = of.inputs as [Lane, ...(Lane | null)[]];
  if (of.node.attributes!.axis !== -1 || rest.some((one) => one?.differs)) return null;
  return same(of, [x.value, ...rest.map(valueIn)]);
});

rule("Reshape", ({ g, count, node, inputs: [x] }) => [reshapeValue(g, x!.value, [count, ...node.outputs[0]!.shape])]);
rule("Transpose", ({ g, node, inputs: [x] }) => {
  const perm = node.attributes!.perm as number[];
  return [transposeValue(g, x!.value, [0, ...perm.map((axis) => axis + 1)])];
});
rule("Expand", (of) => {
  const { g, count, inputs, node } = of;
  const { shape } = node.outputs[0]!;
  return same(of, [ranked(g, inputs[0]!, shape.length, count), g.int64([count, ...shape])]);
});
rule("Tile", (of) => {
  const times = numbersOf(of.inputs[1]);
  return times && same(of, [of.inputs[0]!.value, of.g.int64([1, ...times])]);
});
rule("Pad", (of) => {
  const [x, pads, fill] = of.inputs as [Lane, Lane, Lane | null];
  const sizes = numbersOf(pads);
  if (!sizes || fill?.differs) return null;
  const half = sizes.length / 2;
  const all = of.g.int64([0, ...sizes.slice(0, half), 0, ...sizes.slice(half)]);
  return same(of, [x.value, all, valueIn(fill)]);
});
rule("Concat", (of) => {
  const values = of.inputs.map((input) => everywhere(of.g, input!, of.count));
  return same(of, values, { ...of.node.attributes, axis: moved(of.node.attributes!.axis) });
});
rule("Slice", (of) => {
  const [x, starts, ends, axes, steps] = of.inputs as [Lane, Lane, Lane, Lane | undefined, Lane | undefined];
  const over = numbersOf(axes);
  if (!over || !numbersOf(starts) || !numbersOf(ends)) return null;
  const places = of.g.int64(over.map(moved));
  return same(of, [x.value, starts.value, ends.value, places, ...(steps ? [steps.value] : [])]);
});

/** Places within the numbers of each call as places within those of all calls, `each` apart. */
function apart({ g, count }: Case, { value, shape }: Lane, each: number): Value {
  const { type } = value;
  const first = Array.from({ length: count }, (_, call) => call * each);
  const dims = [count, ...shape.map(() => 1)];
  const starts = type === "int64" ? BigInt64Array.from(first, BigInt) : Int32Array.from(first);
  return g.op("Add", [value, g.constant(starts, dims, type)], value.shape, type);
}

rule("Gather", (of) => {
  const { g, count, node } = of;
  const [x, at] = of.inputs as [Lane, Lane];
  const axis = Number(node.attributes?.axis ?? 0);
  if (!at.differs) return same(of, [x.value, at.value], { axis: moved(axis) });
  const { shape } = node.outputs[0]!;
  if (x.differs) {
    if (axis !== 0) return null;
    const rows = reshapeValue(g, x.value, [count * x.shape[0]!, ...x.shape.slice(1)]);
    return [g.op("Gather", [rows, apart(of, at, x.shape[0]!)], [count, ...shape], x.value.type, { axis: 0 })];
  }
  const found = [...x.shape.slice(0, axis), count, ...at.shape, ...x.shape.slice(axis + 1)];
  const value = g.op("Gather", [x.value, at.value], found, x.value.type, { axis });
  const others = [...found.keys()].filter((one) => one !== axis);
  return [transposeValue(g, value, [axis, ...others])];
});
rule("GatherND", (of) => {
  const { g, count } = of;
  const [x, at] = of.inputs as [Lane, Lane];
  const depth = Number(of.node.attributes?.batch_dims ?? 0);
  if (!x.differs && depth === 0) return same(of, [x.value, at.value]);
  const values = [x, at].map((one) => everywhere(g, one, count));
  return same(of, values, { ...of.node.attributes, batch_dims: depth + 1 });
});
rule("ScatterND", (of) => {
  const { g, count } = of;
  const [into, at, updates] = of.inputs.map((input) => input!) as [Lane, Lane, Lane];
  const rows = [count, ...at.shape.slice(0, -1), 1];
  const call = g.constant(
    BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    [count, ...rows.slice(1).map(() => 1)],
    "int64",
  );
  const calls = g.op("Expand", [call, g.int64(rows)], rows, "int64");
  const shape = [count, ...at.shape.slice(0, -1), at.shape.at(-1)! + 1];
  const places = g.op("Concat", [calls, everywhere(g, at, count)], shape, "int64", { axis: shape.length - 1 });
  return same(of, [everywhere(g, into, count), places, everywhere(g, updates, count)]);
});

/** The images of all calls one after the other. */
const folded = ({ g, count }: Case, { value, shape }: Lane): Value =>
  reshapeValue(g, value, [count * shape[0]!, ...shape.slice(1)]);
/** The channels of all calls one after the other. */
function sideBySide({ g, count }: Case, { value, shape }: Lane): Value {
  const [n, c, ...places] = shape as [number, number, ...number[]];
  const turned = transposeValue(g, value, [1, 0, ...shape.slice(1).map((_, i) => i + 2)]);
  return reshapeValue(g, turned, [n, count * c, ...places]);
}
const unfolded = ({ g, count, node }: Case, value: Value): Value =>
  reshapeValue(g, value, [count, ...node.outputs[0]!.shape]);
function apartAgain({ g, count, node }: Case, value: Value): Value {
  const [n, c, ...places] = node.outputs[0]!.shape as [number, number, ...number[]];
  const split = reshapeValue(g, value, [n, count, c, ...places]);
  return transposeValue(g, split, [1, 0, ...[c, ...places].map((_, i) => i + 2)]);
}

/** An operation on images that treats each by itself. */
function perImage(
  of: Case,
  rest: readonly (Value | null)[] = [],
  attributes: Node["attributes"] = of.node.attributes,
): Value[] {
  const { g, count, node } = of;
  const [n, ...image] = node.outputs[0]!.shape as [number, ...number[]];
  const inputs = [folded(of, of.inputs[0]!), ...rest];
  const value = g.op(node.op, inputs, [count * n, ...image], node.outputs[0]!.type, attributes, node.domain);
  return [unfolded(of, value)];
}

rule("MaxPool AveragePool", (of) => (of.node.outputs.length === 1 ? perImage(of) : null));
rule("Resize", (of) => perImage(of, of.inputs.slice(1).map(valueIn)));
rule("MaxUnpool", (of) => {
  const [, places, size] = of.inputs as [Lane, Lane, Lane];
  const { shape } = of.node.outputs[0]!;
  if (!of.inputs[0]!.differs || !places.differs || !numbersOf(size)) return null;
  const at = folded(of, { ...places, value: apart(of, places, sizeOf(shape)) });
  return perImage(of, [at, of.g.int64([of.count * shape[0]!, ...shape.slice(1)])]);
});

rule("Conv FusedConv", (of) => {
  const { g, count, node } = of;
  const [x, filter, bias, added] = of.inputs as [Lane, Lane, Lane | null | undefined, Lane | null | undefined];
  const groups = Number(node.attributes?.group ?? 1);
  const [n, o, ...places] = node.outputs[0]!.shape as [number, number, ...number[]];
  const rest = [bias, added].filter((one) => one !== undefined);
  if (!filter.differs && !bias?.differs)
    return perImage(of, [
      filter.value,
      ...rest.map((one) => one && (one === added ? folded(of, lane(of, one)) : one.value)),
    ]);
  if (!filter.differs || (x.differs === false && groups > 1)) return null;
  // Each call's filters see its own channels only: groups.
  const filters = reshapeValue(g, filter.value, [count * o, ...filter.shape.slice(1)]);
  const image = x.differs ? sideBySide(of, x) : x.value;
  const terms = bias && reshapeValue(g, everywhere(g, bias, count), [count * o]);
  const inputs = [
    image,
    filters,
    ...(rest.length > 0 ? [terms ?? null] : []),
    ...(added ? [sideBySide(of, lane(of, added))] : []),
  ];
  const attributes = { ...node.attributes, group: x.differs ? count * groups : groups };
  const value = g.op(node.op, inputs, [n, count * o, ...places], x.value.type, attributes, node.domain);
  return [apartAgain(of, value)];
});
const lane = ({ g, count }: Case, one: Lane): Lane => ({ ...one, value: everywhere(g, one, count), differs: true });

rule("ConvTranspose", (of) => {
  const { g, count, node } = of;
  const [x, filter, bias] = of.inputs as [Lane, Lane, Lane | null | undefined];
  const [n, o, ...places] = node.outputs[0]!.shape as [number, number, ...number[]];
  if (bias) return null;
  if (!filter.differs) return perImage(of, [filter.value]);
  // WebGPU in ONNX Runtime 1.30 is wrong about groups here.
  if (target.provider === "webgpu") return null;
  const filters = reshapeValue(g, filter.value, [count * filter.shape[0]!, ...filter.shape.slice(1)]);
  const attributes = { ...node.attributes, group: count * Number(node.attributes?.group ?? 1) };
  const inputs = [sideBySide(of, lane(of, x)), filters];
  return [apartAgain(of, g.op(node.op, inputs, [n, count * o, ...places], x.value.type, attributes))];
});

rule("BatchNormalization", ({ g, count, node, inputs }) => {
  const [x, ...vectors] = inputs as Lane[];
  const { shape, type } = node.outputs[0]!;
  const channels = shape[1]!;
  const ones = shape.slice(2).map(() => 1);
  const [scale, offset, mean, variance] = vectors.map(({ value, differs }) =>
    reshapeValue(g, value, [...(differs ? [count, 1] : [1]), channels, ...ones]),
  ) as [Value, Value, Value, Value];
  const op = (name: string, a: Value, b: Value): Value => {
    const rank = Math.max(a.shape.length, b.shape.length);
    const dims = Array.from({ length: rank }, (_, i) => Math.max(a.shape.at(i - rank) ?? 1, b.shape.at(i - rank) ?? 1));
    return g.op(name, [a, b], dims, type);
  };
  const sum = op("Add", variance, g.scalar(float(node.attributes!.epsilon, 1e-5)));
  const factor = op("Div", scale, g.op("Sqrt", [sum], sum.shape, type));
  const value = op("Add", op("Mul", op("Sub", x!.value, mean), factor), offset);
  return [value];
});
