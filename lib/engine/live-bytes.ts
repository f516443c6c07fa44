/** How much memory the results of a compiled function take on the way. */
import * as tf from "@tensorflow/tfjs-core";
import { full } from "./graph/arr.ts";
import { sizeOf, type Value } from "./graph/graph.ts";
import { nameOf, reach } from "./graph/lower.ts";
import { rewrite } from "./graph/rewrite.ts";
import { type Rng, random } from "./random.ts";
import { backend } from "./runtime/backend.ts";
import { Trace } from "./runtime/trace.ts";

/** Operations whose result is their input under another shape. */
const views = new Set(["Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity"]);

/**
 * The most bytes that results of a function's operations take at once, when they are computed in the order of the program and each is freed after its
 * last use: what a training step needs besides its arguments. What the function gives back is held to its end.
 *
 * Counted on the program, not measured on a device: the same everywhere. The function gets its arguments in a list, and a generator.
 *
 * @example
 * ```ts
 * import { liveBytes, tf } from "thalweg";
 * const x = tf.zeros([100, 10]);
 * liveBytes(([x]) => tf.sum(tf.exp(tf.sin(x!))), [x]); // 8000: two tables at once
 * ```
 */
export function liveBytes(
  fn: (inputs: readonly tf.Tensor[], rng: Rng) => tf.Tensor | readonly tf.Tensor[],
  examples: readonly Pick<tf.Tensor, "shape" | "dtype">[],
): number {
  const trace = new Trace();
  const rng = trace.noise(random(0), 0);
  const wanted = trace.run(() => {
    let values: Value[] = [];
    tf.tidy(() => {
      const args = examples.map(({ shape, dtype }) => trace.argument(shape, dtype));
      values = [fn(args, rng)].flat().map((out) => full(trace.graph, backend.arr(out as tf.Tensor)));
    });
    return values;
  });
  const { outputs } = rewrite(wanted, new Set(), true);
  return most(outputs);
}

/** The most bytes at once of the values that some outputs need. */
function most(outputs: readonly Value[]): number {
  const { nodes } = reach(outputs);
  /** The value whose memory a value is in. */
  const owner = new Map<string, Value>();
  const own = (value: Value): Value => owner.get(nameOf(value)) ?? value;
  const left = new Map<Value, number>();
  const uses = (value: Value, by: number): number => {
    const count = (left.get(own(value)) ?? 0) + by;
    left.set(own(value), count);
    return count;
  };
  for (const node of nodes) {
    if (views.has(node.op)) owner.set(nameOf(node.outputs[0]!), own(node.inputs[0]!));
    for (const input of node.inputs) if (input !== null) uses(input, 1);
  }
  for (const output of outputs) uses(output, 1);
  const width = { float32: 4, int32: 4, int64: 8, float64: 8, bool: 1, uint8: 1 } as const;
  const bytes = (value: Value): number => sizeOf(value.shape) * width[value.type];
  let [live, largest] = [0, 0];
  for (const node of nodes) {
    for (const output of node.outputs) if (own(output) === output) live += bytes(output);
    largest = Math.max(largest, live);
    for (const input of node.inputs)
      if (input !== null && uses(input, -1) === 0 && own(input).node !== null) live -= bytes(own(input));
    for (const output of node.outputs) if ((left.get(own(output)) ?? 0) === 0) live -= bytes(output);
  }
  return largest;
}
