/** Opens the batch size of a graph: what two recordings with two sizes differ in is computed from the size of the input. */
import type { GraphSpec, InitializerSpec, NodeSpec, ValueSpec } from "./writer.ts";

const BATCH = "batch";

/** How a number depends on the batch size. */
interface Affine {
  readonly times: number;
  readonly plus: number;
}

/**
 * One graph for every batch size, from the graphs of one function for two sizes.
 *
 * @throws RangeError when they differ in more than sizes.
 */
export function openBatch(first: GraphSpec, second: GraphSpec, sizes: readonly [number, number]): GraphSpec {
  const opened = new Opening(first, second, sizes);
  return opened.graph();
}

class Opening {
  readonly #first: GraphSpec;
  readonly #second: GraphSpec;
  readonly #sizes: readonly [number, number];
  /** Values of the second graph by the names they have in the first. */
  readonly #twins = new Map<string, string>();
  readonly #stored: readonly [Map<string, InitializerSpec>, Map<string, InitializerSpec>];
  readonly #initializers = new Map<string, InitializerSpec>();
  readonly #before: NodeSpec[] = [];
  readonly #made = new Map<string, string>();

  constructor(first: GraphSpec, second: GraphSpec, sizes: readonly [number, number]) {
    [this.#first, this.#second, this.#sizes] = [first, second, sizes];
    this.#stored = [storedIn(first), storedIn(second)];
  }

  graph(): GraphSpec {
    const [a, b] = [this.#first, this.#second];
    if (a.nodes.length !== b.nodes.length) throw differs("the number of its operations");
    a.inputs.forEach((input, i) => {
      this.#twins.set(b.inputs[i]!.name, input.name);
    });
    const nodes = a.nodes.map((node, i) => this.#node(node, b.nodes[i]!));
    return {
      ...a,
      inputs: this.#open(a.inputs, b.inputs),
      outputs: this.#open(a.outputs, b.outputs),
      nodes: [...this.#before, ...nodes],
      initializers: [...this.#initializers.values()],
    };
  }

  #open(values: readonly ValueSpec[], others: readonly ValueSpec[]): ValueSpec[] {
    return values.map((value, i) => ({
      ...value,
      shape: value.shape.map((dim, at) => this.#dim(dim, others[i]!.shape[at]!)),
    }));
  }

  /** The graph within a loop. Sizes and numbers that it uses are computed and stored around it. */
  #body(a: GraphSpec, b: GraphSpec): GraphSpec {
    if (a.nodes.length !== b.nodes.length) throw differs("the number of operations of a loop");
    a.inputs.forEach((input, i) => {
      this.#twins.set(b.inputs[i]!.name, input.name);
    });
    const nodes = a.nodes.map((node, i) => this.#node(node, b.nodes[i]!));
    return {
      ...a,
      inputs: this.#open(a.inputs, b.inputs),
      outputs: this.#open(a.outputs, b.outputs),
      nodes,
      initializers: [],
    };
  }

  #node(a: NodeSpec, b: NodeSpec): NodeSpec {
    const isSame = a.op === b.op && a.inputs.length === b.inputs.length;
    const [one, other] = [bodyIn(a), bodyIn(b)];
    const [own, twin] = one && other ? [without(a), without(b)] : [a.attributes, b.attributes];
    if (!isSame || JSON.stringify(own) !== JSON.stringify(twin)) throw differs(`its ${a.op}`);
    const inputs = a.inputs.map((name, i) => this.#input(a.op, i, name, b.inputs[i]!));
    a.outputs.forEach((name, i) => {
      this.#twins.set(b.outputs[i]!, name);
    });
    return one && other
      ? { ...a, inputs, attributes: { ...own, body: { graph: this.#body(one, other) } } }
      : { ...a, inputs };
  }

  #input(op: string, at: number, a: string, b: string): string {
    const [one, other] = [this.#stored[0].get(a), this.#stored[1].get(b)];
    if (!one || !other) {
      if (a !== "" && this.#twins.get(b) !== a) throw differs(`what its ${op} takes`);
      return a;
    }
    const [x, y] = [[...one.data].map(Number), [...other.data].map(Number)];
    const isFilled = [...x, ...y].every((value) => Object.is(value, x[0]));
    if (x.length !== y.length && isFilled && one.shape.length === other.shape.length)
      return this.#filled(a, one, other);
    if (x.length !== y.length || one.type !== other.type) throw differs(`a constant of its ${op}`);
    if (x.every((value, i) => Object.is(value, y[i]))) {
      this.#initializers.set(a, one);
      return a;
    }
    if (one.type !== "int64") throw differs(`a constant of its ${op}`);
    const isShape = op === "Reshape" && at === 1 && x.filter((value, i) => value !== y[i]).length === 1;
    return isShape ? this.#store(x.map((value, i) => (value === y[i] ? value : -1))) : this.#vector(x, y, one.shape);
  }

  /** One number, as often as the sizes say. */
  #filled(name: string, one: InitializerSpec, { shape }: InitializerSpec): string {
    this.#initializers.set(name, { ...one, shape: [], data: one.data.slice(0, 1) });
    return this.#compute("Expand", [name, this.#vector(one.shape, shape, [one.shape.length])]);
  }

  #store(values: readonly number[]): string {
    const name = `numbers_${values.join("_").replaceAll("-", "m")}`;
    const data = BigInt64Array.from(values, BigInt);
    this.#initializers.set(name, { name, type: "int64", shape: [values.length], data });
    return name;
  }

  #affine(a: number, b: number): Affine {
    const [p, q] = this.#sizes;
    const times = (b - a) / (q - p);
    if (!Number.isInteger(times)) throw differs("a size");
    return { times, plus: a - times * p };
  }

  /** A vector of sizes, some of which depend on the batch. */
  #vector(x: readonly number[], y: readonly number[], shape: readonly number[]): string {
    const key = `${x}|${y}|${shape.length}`;
    const known = this.#made.get(key);
    if (known) return known;
    const parts = x.map((value, i) =>
      value === y[i] ? this.#store([value]) : this.#scaled(this.#affine(value, y[i]!)),
    );
    let name = parts[0]!;
    if (parts.length > 1) name = this.#compute("Concat", parts, { axis: 0 });
    if (shape.length === 0) name = this.#compute("Squeeze", [name]);
    this.#made.set(key, name);
    return name;
  }

  /** The batch size, once, as a vector of one number; times and plus what is wanted. */
  #scaled({ times, plus }: Affine): string {
    const key = `${times}|${plus}`;
    const known = this.#made.get(key);
    if (known) return known;
    let name = this.#made.get(BATCH);
    if (!name) {
      name = this.#compute("Shape", [this.#first.inputs[0]!.name], { start: 0, end: 1 });
      this.#made.set(BATCH, name);
    }
    if (times !== 1) name = this.#compute("Mul", [name, this.#store([times])]);
    if (plus !== 0) name = this.#compute("Add", [name, this.#store([plus])]);
    this.#made.set(key, name);
    return name;
  }

  #compute(op: string, inputs: readonly string[], attributes?: NodeSpec["attributes"]): string {
    const name = `${BATCH}_${this.#before.length}`;
    this.#before.push({ op, name, inputs, outputs: [name], attributes });
    return name;
  }

  #dim(a: number | string, b: number | string): number | string {
    if (a === b) return a;
    const { times, plus } = this.#affine(Number(a), Number(b));
    return times === 1 && plus === 0 ? BATCH : `${BATCH}_times_${times}_plus_${plus}`;
  }
}

/** The graph that a node runs within it, if it does. */
const bodyIn = ({ attributes }: NodeSpec): GraphSpec | null =>
  (attributes?.body as { readonly graph: GraphSpec } | undefined)?.graph ?? null;

const without = ({ attributes }: NodeSpec): NodeSpec["attributes"] => {
  const { body, ...others } = attributes ?? {};
  return others;
};

/** The numbers that a graph, and those within it, store. */
function storedIn(graph: GraphSpec): Map<string, InitializerSpec> {
  const within = graph.nodes.flatMap((node) => {
    const body = bodyIn(node);
    return body ? [...storedIn(body)] : [];
  });
  return new Map([...graph.initializers.map((one) => [one.name, one] as const), ...within]);
}

const differs = (what: string): RangeError =>
  new RangeError(
    `exportOnnx: with batch "any" a function that treats every row alike is required, got one where ${what} depends on how many there are; export it with batch "fixed"`,
  );
