/** Networks that can be left after any of their blocks. */
import type { tf } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import type { Prediction, Step } from "../strategy.ts";
import { blocksOf } from "./blocks.ts";

/** What is done with the output of a block in a pass: `i` is its number, `x` came in, `y` went out. */
export type AtBlock = (i: number, x: tf.Tensor, y: tf.Tensor) => tf.Tensor;

/** A network's blocks, and its layers behind the last one. */
export interface Exits {
  readonly count: number;
  /** *Traced.* A pass, in training or to predict, and what each block gave. */
  pass(step: Pick<Step | Prediction, "forward" | "x">, at?: AtBlock): readonly tf.Tensor[];
  /** *Traced.* The features that the network would have if it ended where this came from. */
  features(step: Pick<Step, "weights"> & Partial<Pick<Step, "statistics">>, given: tf.Tensor): tf.Tensor;
}

/** The blocks of attention of a network as exits. Throws where it has fewer than two, or they do not stand in a row. */
export function exitsOf(where: string, network: Network): Exits {
  const { stack = [], names = [] } = network.model;
  const paths = blocksOf(network).paths.map((path) => path.replace(/^model\//, ""));
  const inRow = paths.every((path) => names.includes(path));
  if (paths.length < 2 || !inRow)
    throw new TypeError(
      `${where}: a model with at least two blocks of attention in a row is required, got ${network.model.spec.name} with ${paths.length}${inRow ? "" : " inside of other layers"}`,
    );
  const last = names.indexOf(paths.at(-1)!);
  return {
    count: paths.length,
    pass(step, at = (_i, _x, y) => y) {
      const given: tf.Tensor[] = [];
      step.forward(step.x, {
        around(path, x, run) {
          const i = paths.indexOf(path.slice(1).join("/"));
          if (i < 0) return run(x);
          given[i] = at(i, x, run(x));
          return given[i]!;
        },
      });
      return given;
    },
    features(step, given) {
      const { mode } = tape(false, null, step.statistics ?? {});
      return stack.slice(last + 1).reduce((x, layer, i) => {
        const name = names[last + 1 + i]!;
        return layer.apply(x, (step.weights.model[name] ?? {}) as Params, mode.at(name));
      }, given);
    },
  };
}
