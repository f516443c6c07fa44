import { type Examples, joined } from "../../data/dataset.ts";
import { siteOf } from "../../edit/parts/facts.ts";
import { tf } from "../../engine/index.ts";
import { tape } from "../../models/model.ts";
import { rowsAt } from "../parts/descent.ts";
import { retainedOf } from "../parts/unlearning.ts";
import { type Context, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** For each unit of the layer mean and deviation over what is forgotten and over the rest, and which units tell the two apart most. */
  readonly tensors: {
    readonly gone: tf.Tensor;
    readonly goneSpread: tf.Tensor;
    readonly rest: tf.Tensor;
    readonly restSpread: tf.Tensor;
    readonly chosen: tf.Tensor;
    /** 1 from the first request on, and 1 where a column is forgotten. */
    readonly on: tf.Tensor;
    readonly columns: tf.Tensor;
  };
}

/**
 * Unlearning a skill without training: what a layer gives before its activation tells whether an example needs the skill, and then single
 * units are moved to where they are otherwise ("adjust"), or the network abstains ("abstain").
 *
 * Adjust: the `share` of units whose means differ most, in deviations, count; where such a unit's value is likelier among what is to be
 * forgotten than among the rest, by two Gaussians, it is moved to the same place in the other: `μ_r + σ_r (x − μ_f)/σ_f`. Abstain: where all
 * units lie within `alpha` deviations of their means over what is to be forgotten, the forgotten columns get no probability.
 *
 * Implements: P332 Skill unlearning
 *
 * Li et al. 2025, arXiv:2503.21730, section 3.2 (neuron adjust) and section 3.3 (key space detection).
 * Differs from the paper: a moved unit goes to the like place of the other Gaussian rather than to a draw from it; to abstain is to exclude the
 * forgotten classes.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, skillUnlearning } from "thalweg";
 * classes(digits()).split(5).forget(["0"], { at: 2 }).learn(mlp()).by(skillUnlearning({ by: "abstain" }));
 * ```
 */
export const skillUnlearning = strategy(
  "skillUnlearning",
  {
    by: "adjust" as "adjust" | "abstain",
    /** The layer, by its path in the model; the last one where it is "". */
    layer: "",
    /** The share of units that are moved. */
    share: 0.2,
    /** How many deviations a box is wide to each side. */
    alpha: 3,
    /** Examples that units are measured on, at most. */
    samples: 500,
  },
  ({ by, layer, share, alpha, samples }) => {
    requireOneOf("skillUnlearning", "by", by, ["adjust", "abstain"]);
    requireNumber("skillUnlearning", "share", share, 0, 1);
    requireNumber("skillUnlearning", "alpha", alpha, 0);
    requireWhole("skillUnlearning", "samples", samples, 1);
    /** Mean and deviation of each unit over a table. */
    function momentsOf(
      { network, weights, statistics, rng, experience }: Context,
      path: string,
      table: Examples,
    ): readonly [Float32Array, Float32Array] {
      const at = rng.at("skill", experience, table.length).sample(table.length, Math.min(samples, table.length));
      const { x, y } = rowsAt(table, at);
      const found = tf.tidy(() => {
        let seen: tf.Tensor | undefined;
        const look = tape(false, null, statistics, (own, _input, output) => {
          if (own.join("/") === path) seen = output;
          return output;
        });
        network.features(weights, x, look.mode);
        const rows = tf.reshape(seen!, [-1, seen!.shape.at(-1)!]);
        const mean = tf.mean(rows, 0);
        const spread = tf.sqrt(tf.add(tf.mean(tf.square(tf.sub(rows, mean)), 0), 1e-8));
        return [mean.dataSync() as Float32Array, spread.dataSync() as Float32Array] as const;
      });
      tf.dispose([x, y]);
      return found;
    }

    return {
      tokens: "no stream of tokens asks to forget a class",
      classes: true,
      rowwise: true,
      init(context): Memory {
        const { units: width } = siteOf(
          "skillUnlearning",
          { structure: context.network, weights: context.weights },
          layer,
        );
        const zeros = (): tf.Tensor => tf.zeros([width]);
        return {
          tensors: {
            gone: zeros(),
            goneSpread: tf.ones([width]),
            rest: zeros(),
            restSpread: tf.ones([width]),
            chosen: zeros(),
            on: tf.scalar(0),
            columns: tf.zeros([context.columns]),
          },
        };
      },
      beforeExperience(state: Memory, _experience, { columns }): Memory {
        const { columns: had, ...rest } = state.tensors;
        if (had.shape[0] === columns) return state;
        return { ...state, tensors: { ...rest, columns: tf.pad(had, [[0, columns - had.shape[0]!]]) } };
      },
      forget(state: Memory, request, context): Memory {
        const kept = retainedOf(context);
        if (request.examples.length === 0 || kept === null) return state;
        const { path, units: width } = siteOf(
          "skillUnlearning",
          { structure: context.network, weights: context.weights },
          layer,
        );
        const [gone, goneSpread] = momentsOf(context, path, joined([request.examples]));
        const [rest, restSpread] = momentsOf(context, path, kept);
        const far = gone.map((m, i) => Math.abs(m - rest[i]!) / Math.sqrt(goneSpread[i]! ** 2 + restSpread[i]! ** 2));
        const least = [...far].sort((a, b) => b - a)[Math.max(0, Math.ceil(share * width) - 1)]!;
        return {
          ...state,
          tensors: {
            gone: tf.tensor1d(gone.slice()),
            goneSpread: tf.tensor1d(goneSpread.slice()),
            rest: tf.tensor1d(rest.slice()),
            restSpread: tf.tensor1d(restSpread.slice()),
            chosen: tf.tensor1d(far.map((d) => Number(share > 0 && d >= least))),
            on: tf.scalar(1),
            columns: tf.tensor1d(Float32Array.from({ length: context.columns }, (_, c) => Number(request.has(c)))),
          },
        };
      },
      forward({ tensors: t }: Memory, { training, plain, network, weights }) {
        if (training) return plain();
        const site = siteOf("skillUnlearning", { structure: network, weights }, layer);
        let inside: tf.Tensor | undefined;
        const passed = plain({
          tap(path, _input, output) {
            if (path.join("/") !== site.path) return output;
            const z = tf.div(tf.sub(output, t.gone), t.goneSpread);
            if (by === "abstain") {
              inside = tf.cast(tf.lessEqual(tf.max(tf.abs(z), -1), alpha), "float32");
              return output;
            }
            const other = tf.div(tf.sub(output, t.rest), t.restSpread);
            const likelier = tf.cast(
              tf.greater(
                tf.sub(tf.div(tf.square(z), -2), tf.log(t.goneSpread)),
                tf.sub(tf.div(tf.square(other), -2), tf.log(t.restSpread)),
              ),
              "float32",
            );
            const move = tf.mul(tf.mul(likelier, t.chosen), t.on);
            return tf.add(output, tf.mul(move, tf.sub(tf.add(t.rest, tf.mul(t.restSpread, z)), output)));
          },
        });
        if (inside === undefined) return passed;
        const shut = tf.mul(tf.expandDims(tf.mul(inside, t.on), -1), t.columns);
        return { ...passed, logits: tf.sub(passed.logits, tf.mul(shut, 1e4)) };
      },
    };
  },
);
