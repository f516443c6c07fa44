import { tf } from "../../engine/index.ts";
import { type LayerPath, layerPaths, overUnits, requireChain, unitsAt } from "../parts/layers.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  /** For each hidden layer which units are open to each task, `[tasks, units]` of 0 and 1. */
  readonly tensors: { readonly [path: LayerPath]: tf.Tensor };
}

/**
 * Context-dependent gating: each task closes units of its own, drawn at random before it is met, so that tasks share few weights.
 *
 * In each hidden layer the share `gate` of the units gives 0 for the examples of a task, the same units each time. Needs the task at test
 * time; compose it with a penalty, as `si` or `ewc`, for what tasks still share.
 *
 * Masse, Grant and Freedman 2018, PNAS 115, "Alleviating catastrophic forgetting using context-dependent gating and synaptic
 * stabilization"; exactly that share of each layer's units is closed, as in van de Ven et al. 2022. Units of a convolution are channels.
 * Differs from the paper: gates act before the rectifier, which is the same.
 *
 * @example
 * ```ts
 * import { xdg } from "thalweg";
 * xdg({ gate: 0.8 });
 * ```
 */
export const xdg = strategy(
  "xdg",
  {
    /** Share of the units of a hidden layer that are closed, in [0, 1). */
    gate: 0.8,
  },
  ({ gate }) => {
    requireNumber("xdg", "gate", gate, 0, 0.999999);
    return {
      tokens: "it needs layers that see an example once, not at each of its places",
      init(context): Memory {
        requireChain("xdg", context);
        const { weights, stream, rng } = context;
        const hidden = layerPaths(context).slice(0, -1);
        const gates = (path: LayerPath): tf.Tensor => {
          const units = unitsAt(weights, path);
          const open = new Float32Array(stream.tasks * units).fill(1);
          for (let task = 0; task < stream.tasks; task++)
            for (const unit of rng
              .at("gates", path)
              .at(task)
              .sample(units, Math.floor(gate * units)))
              open[task * units + unit] = 0;
          return tf.tensor2d(open, [stream.tasks, units]);
        };
        return { tensors: Object.fromEntries(hidden.map((path) => [path, gates(path)])) };
      },
      rowwise: true,
      forward({ tensors }: Memory, { plain, weights, task }) {
        if (task === null) return plain();
        const row = tf.cast(task, "int32");
        return plain(weights, (path, _input, output) => {
          const open = tensors[path.join("/")];
          return open === undefined ? output : tf.mul(output, overUnits(tf.gather(open, row), output));
        });
      },
    };
  },
  ["task", "length"],
);
