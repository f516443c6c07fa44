import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import { blocksOf } from "../parts/blocks.ts";
import { straightThrough } from "../parts/quantile.ts";
import { still } from "../parts/still.ts";
import { type Context, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** One number from the vector of a place. */
type Router = { readonly kernel: tf.Tensor2D };

interface Memory {
  /** The share of places that pass each block's dense layers, and the steps so far. A type, so that it is a tree of tensors. */
  readonly carried?: { readonly capacities: tf.Tensor; readonly steps: tf.Tensor };
}

/**
 * Trains a transformer to skip the dense layers of its blocks place by place: a router in front of each learns which places they change most, and only these pass.
 *
 * The router is a linear map r of the vector that comes into a block; attention always passes. In training the places of the batch with the largest σ(r), a share `share` of them, pass, later
 * wherever σ(r) > ½. What passes is multiplied by `1 + gap · (σ(r) − ½)`, by which routers learn from the task. Beside its loss stands `weight` times the mean cross-entropy of σ(r) with marks: 1 for the share of places whose
 * vectors' cosines before and after the dense layers are the smallest. With `marks: "network"` the share is counted over all blocks together, and a block's own share of marks is its capacity in the next step; with "block" each has the
 * same. Over `annealSteps` the share falls from 1 to `share`. With `rates` the tensors of a block move by `1 + its capacity − the mean` times as much: what few places pass is changed less.
 *
 * To give a network more layers first: `expand.interpolate(network, depth, { by: "zeros" })`, whose new blocks change nothing until they are trained.
 *
 * Implements: P075 DLO
 * Tan et al. 2024, "DLO: dynamic layer operation for efficient vertical scaling of LLMs", arXiv:2407.11030, and the authors' program, whose defaults these are.
 * Differs from the paper: what is skipped is multiplied by 0 rather than not computed; marks that are counted over all blocks take one more pass in each step; all blocks have routers.
 *
 * @throws TypeError for a model without blocks of attention, or whose blocks normalise what they give.
 *
 * @example
 * ```ts
 * import { classes, digits, dynamicLayers, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 2, heads: 2 })).by(dynamicLayers({ share: 0.7 }));
 * ```
 */
export const dynamicLayers = strategy(
  "dynamicLayers",
  {
    /** The share of places that pass dense layers at the end. */
    share: 0.9,
    /** Strength of what routers are taught. */
    weight: 1,
    /** How much what passes is weighed by its router. */
    gap: 0.05,
    /** Whether marks are counted over all blocks together, or in each. */
    marks: "network" as "network" | "block",
    /** Steps in which the share falls from 1. */
    annealSteps: 100,
    /** Whether blocks that few places pass learn more slowly. */
    rates: true,
  },
  ({ share, weight, gap, marks, annealSteps, rates }) => {
    requireNumber("dynamicLayers", "share", share, 1e-3, 1);
    requireNumber("dynamicLayers", "weight", weight, 0);
    requireNumber("dynamicLayers", "gap", gap, 0);
    requireOneOf("dynamicLayers", "marks", marks, ["network", "block"]);
    requireWhole("dynamicLayers", "annealSteps", annealSteps, 0);
    /** *Traced.* The share that passes after some steps. */
    const shareAt = (steps: tf.Tensor): tf.Tensor =>
      annealSteps === 0 ? tf.scalar(share) : tf.maximum(share, tf.sub(1, tf.mul(steps, (1 - share) / annealSteps)));
    return {
      tokens: true,
      attention: true,
      rowwise: true,
      parameters({ network, weights }: Context): Params {
        const { paths, width } = blocksOf(network);
        const dense = paths.filter((path) => treeAt(weights.model, path)?.down !== undefined);
        if (paths.length === 0 || dense.length < paths.length)
          throw new TypeError(
            `dynamicLayers: a model with blocks of attention and dense layers is required, got ${network.model.spec.name}`,
          );
        const after = (network.model.stack ?? []).some(
          ({ name, options }) => name === "transformer" && (options as { norm?: string } | undefined)?.norm === "after",
        );
        if (after)
          throw new TypeError(
            `dynamicLayers: blocks that normalise before their layers are required, got norm: "after" in ${network.model.spec.name}`,
          );
        return Object.fromEntries(paths.map((_, i) => [`${i}`, { kernel: tf.zeros([width, 1]) }]));
      },
      init: ({ network }: Context): Memory => ({
        carried: { capacities: tf.ones([blocksOf(network).paths.length]), steps: tf.scalar(0) },
      }),
      forward({ carried }: Memory, { network, weights, training, plain }) {
        const routers = weights.added!.dynamicLayers as unknown as Record<string, Router>;
        const { paths } = blocksOf(network);
        const sureness: tf.Tensor[] = [];
        const cosines: tf.Tensor[] = [];
        const gates = new Map<string, tf.Tensor>();
        const given = new Map<string, tf.Tensor>();
        const within: Within = {
          around(path, x, run) {
            const at = path.join("/");
            const i = paths.indexOf(at);
            if (i < 0) return run(x);
            const width = x.shape.at(-1)!;
            const sure = tf.sigmoid(tf.matMul(tf.reshape(x, [-1, width]) as tf.Tensor2D, routers[i]!.kernel));
            const passes =
              training && carried !== undefined
                ? straightOpen(sure, tf.slice(carried.capacities, [i], [1]))
                : tf.cast(tf.greater(sure, 0.5), "float32");
            const gate = tf.mul(still(passes), tf.add(1, tf.mul(tf.sub(sure, 0.5), gap)));
            gates.set(at, gate);
            const y = run(x);
            const dense = given.get(at)!;
            const before = tf.sub(tf.reshape(y, [-1, width]), tf.mul(dense, gate));
            sureness.push(tf.reshape(sure, [-1]));
            cosines.push(still(cosine(before, tf.add(before, dense))));
            return y;
          },
          tap(path, _input, output) {
            const at = path.slice(0, -1).join("/");
            const gate = path.at(-1) === "down" ? gates.get(at) : undefined;
            if (gate === undefined) return output;
            const rows = tf.reshape(output, [-1, output.shape.at(-1)!]);
            given.set(at, rows);
            return tf.reshape(tf.mul(rows, gate), output.shape);
          },
        };
        const passed = plain(within);
        return { ...passed, aside: { sure: tf.stack(sureness), cosines: tf.stack(cosines) } };
      },
      loss({ carried }: Memory, { aside }) {
        const sure = tf.clipByValue(aside.sure!, 1e-6, 1 - 1e-6);
        const wanted = marked(aside.cosines!, shareAt(carried!.steps), marks);
        const each = tf.add(tf.mul(wanted, tf.log(sure)), tf.mul(tf.sub(1, wanted), tf.log(tf.sub(1, sure))));
        return tf.mul(tf.mean(each), -weight) as tf.Scalar;
      },
      weights({ carried }: Memory, { before, after }, { network }) {
        if (!rates) return after;
        const ratios = tf.add(1, tf.sub(carried!.capacities, tf.mean(carried!.capacities)));
        const moved = blocksOf(network).paths.map((path, i) => {
          const name = path.replace(/^model\//, "");
          const [was, now] = [before.model[name] as Params | undefined, after.model[name] as Params | undefined];
          if (was === undefined || now === undefined) return {};
          return { [name]: slowed(was, now, tf.reshape(tf.slice(ratios, [i], [1]), [])) };
        });
        return { ...after, model: Object.assign({}, after.model, ...moved) as Params };
      },
      update({ carried }: Memory, _change, step): Tree {
        const steps = tf.add(carried!.steps, 1);
        const next = shareAt(steps);
        if (marks === "block")
          return { capacities: tf.mul(tf.onesLike(carried!.capacities), next), steps } as unknown as Tree;
        const { aside } = step.forward(step.x, { task: step.task });
        const wanted = marked(aside!.cosines!, next, marks);
        return { capacities: tf.mean(wanted, 1), steps } as unknown as Tree;
      },
    };
  },
);

/** *Traced.* 1 for the share of the rows with the largest numbers, those as large as the last of them too, at least one. */
function straightOpen(numbers: tf.Tensor, share: tf.Tensor): tf.Tensor {
  const flat = still(tf.reshape(numbers, [-1]));
  return straightThrough(numbers, (of) => tf.cast(tf.greaterEqual(of, leastOf(flat, share)), "float32"));
}

/** *Traced.* The smallest of the share of largest numbers. */
function leastOf(flat: tf.Tensor, share: tf.Tensor): tf.Tensor {
  return tf.customGrad((given) => {
    const { values } = tf.topk(given as tf.Tensor, flat.size);
    // a share that is a whole number of them but for rounding is that number
    const last = tf.clipByValue(tf.sub(tf.ceil(tf.sub(tf.mul(share, flat.size), 1e-3)), 1), 0, flat.size - 1);
    const value = tf.reshape(tf.gather(values, tf.reshape(tf.cast(last, "int32"), [1])), []);
    return { value, gradFunc: () => tf.zerosLike(flat) };
  })(flat);
}

/** *Traced.* `[blocks, places]`: 1 for the share of smallest cosines, over all blocks or in each. */
function marked(cosines: tf.Tensor, share: tf.Tensor, by: "network" | "block"): tf.Tensor {
  const rows = by === "network" ? [cosines] : tf.split(cosines, cosines.shape[0]!);
  const found = rows.map((row) => {
    const apart = tf.neg(row);
    return tf.cast(tf.greaterEqual(apart, leastOf(tf.reshape(apart, [-1]), share)), "float32");
  });
  return still(found.length === 1 ? found[0]! : tf.concat(found));
}

/** *Traced.* The cosine of rows. */
function cosine(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const length = (x: tf.Tensor): tf.Tensor => tf.sqrt(tf.add(tf.sum(tf.square(x), 1), 1e-12));
  return tf.div(tf.sum(tf.mul(a, b), 1), tf.mul(length(a), length(b)));
}

/** *Traced.* A tree that has moved by a share of its way. */
function slowed(before: Params, after: Params, share: tf.Tensor): Params {
  return mapTensors(
    (now: tf.Tensor, was?: tf.Tensor) => tf.add(was!, tf.mul(tf.sub(now, was!), share)),
    after,
    before,
  ) as Params;
}

/** What lies at a path of the weights, "model/2-transformer". */
function treeAt(model: Params, path: string): Params | undefined {
  const names = path.split("/").slice(1);
  return names.reduce((node: Params | undefined, name) => node?.[name] as Params | undefined, model);
}
