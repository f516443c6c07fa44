import { cloneTree, type Rng, type Tree, tf } from "../../engine/index.ts";
import type { Within } from "../../models/model.ts";
import { excluded, type Network } from "../../models/network.ts";
import { blocksOf } from "../parts/blocks.ts";
import { normalised } from "../parts/distillation.ts";
import { layerAt } from "../parts/layers.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy } from "../parts/prompts.ts";
import { type Pass, requireWhole, strategy } from "../strategy.ts";

/**
 * What an experience has of its own: selectors `[selectors, width]`, and for each of the first layers keys and values `[2, length, width]`. A type,
 * so that it is a tree of tensors.
 */
type Lane = { readonly selectors: tf.Tensor; readonly prompts: { readonly [layer: string]: tf.Tensor } };

interface Memory {
  /** The classes of each lane. */
  readonly classes: readonly (readonly number[])[];
  readonly tensors: {
    readonly open?: tf.Tensor;
    /** The lanes of experiences before, which are trained no more. */
    readonly past?: readonly Lane[];
    /** `[lanes, columns]`: 1 for the classes that a lane decides; `[1, columns]`, what is added to columns that no lane decides. */
    readonly owner?: tf.Tensor;
    readonly shut?: tf.Tensor;
  };
}

/**
 * MULTI-LANE: every experience has a lane of its own through a frozen transformer, on which a few selectors sum up what the patches have become,
 * and every lane decides the classes of its experience; no prompt has to be chosen.
 *
 * A lane is the vector at the first place (the class token) and `selectors` vectors. In each layer a selector s sums up the patches X as
 * `softmax(s Xᵀ / √width) X`, all of them as they come into attention; the first vector attends to itself, these sums, and `length` trained keys and
 * values, which the first `layers` layers have. What attention makes of the sums is dropped and the selectors go on in their place, so that the
 * next layer sums up anew. Patches never see a lane. The head gets the first vector of a lane, brought to length 1. The loss is that of the
 * stream among the classes of the experience; selectors, keys, values and head are trained. A lane begins as a copy of the last. A prediction has
 * the logits of all lanes, each for its own classes; where one class is asked for, those that no lane has are out of the question.
 *
 * It is for several labels as for one, and asks for no task at test time. Its features, in evaluation, are those of all lanes
 * side by side. The blocks must be layers of the model's own chain, and all places be seen. Memory grows with the number of experiences, and so does
 * what a prediction costs.
 *
 * De Min et al. 2024, "Less is more: summarizing patch tokens for efficient multi-label class-incremental learning", arXiv:2405.15633, section 4; the
 * program tdemin16/multi-lane, whose defaults for CIFAR-100 these are.
 * Differs from the paper: the first vector of a lane is the one that comes into the first block, position and all, where the program leaves the
 * position out. Selectors, and the keys and values of a layer, begin normal and of length 1 altogether, which its orthogonal beginning amounts to. The loss
 * of several labels is the mean over the classes of the experience, there over all, where the others add a constant. A class that comes again is
 * decided by the last lane that it came with.
 *
 * Implements: P418 MULTI-LANE
 *
 * @example
 * ```ts
 * import { classes, digits, multiLane } from "thalweg";
 * const stream = classes(digits()).multiLabel({ labels: 2 }).splitLabels(5);
 * multiLane({ selectors: 4, length: 4, layers: 2 }).spec.name; // "multiLane"
 * ```
 */
export const multiLane = strategy(
  "multiLane",
  {
    /** Vectors that sum up the patches. */
    selectors: 20,
    /** Trained keys and values in a layer. */
    length: 20,
    /** How many layers of attention, from the first, have them. */
    layers: 5,
  },
  ({ selectors, length, layers }) => {
    requireWhole("multiLane", "selectors", selectors, 1);
    requireWhole("multiLane", "length", length, 1);
    requireWhole("multiLane", "layers", layers, 0);
    return {
      attention: true,
      tokens: "it gives one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, rng }): Lane => drawn(network, rng, selectors, length, layers),
      init: (): Memory => ({ classes: [], tensors: {} }),
      beforeExperience({ classes, tensors }: Memory, experience, context) {
        const lanes = [...classes, experience.classes];
        const before = experience.index > 0;
        const past = (tensors.past ?? []).concat(
          before ? [cloneTree(context.weights.added!.multiLane as Tree) as Lane] : [],
        );
        const { columns, stream } = context;
        const open = openColumns(experience, context);
        const decides = lanes.map((_, lane) =>
          Array.from({ length: columns }, (_, c) => +(lanes.findLastIndex((of) => of.includes(c)) === lane)),
        );
        const unmet = Array.from({ length: columns }, (_, c) => +lanes.every((of) => !of.includes(c)));
        const shut = tf.tensor2d([unmet.map((is) => (stream.target === "class" ? is * excluded : 0))]);
        return {
          classes: lanes,
          tensors: { open, past, owner: tf.tensor2d(decides), shut },
          restart: before,
        };
      },
      forward({ tensors }, pass) {
        const own = addedBy<Lane>(pass, "multiLane");
        const lanes = pass.training ? [own] : [...(tensors?.past ?? []), own];
        const { features } = pass.plain(lanesAt(pass, lanes));
        const rows = normalised(features);
        const logits = pass.network.logits(pass.weights, rows);
        if (pass.training || tensors?.owner === undefined) return { features: rows, logits };
        const [count, n] = [lanes.length, rows.shape[0]! / lanes.length];
        const columns = logits.shape[1]!;
        const wide = (of: tf.Tensor): tf.Tensor => tf.slice(of, [0, 0], [of.shape[0]!, columns]);
        const each = tf.mul(tf.reshape(logits, [count, n, columns]), tf.expandDims(wide(tensors.owner), 1));
        return {
          features: tf.reshape(tf.transpose(tf.reshape(rows, [count, n, -1]), [1, 0, 2]), [n, -1]),
          logits: tf.add(tf.sum(each, 0), wide(tensors.shut!)),
        };
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
    };
  },
  ["boundary"],
);

/** A lane of random vectors. */
function drawn(network: Network, rng: Rng, selectors: number, length: number, layers: number): Lane {
  const { paths, width } = blocksOf(network);
  const ofLength1 = (at: Rng, shape: number[]): tf.Tensor =>
    tf.tidy(() => {
      const all = at.normals(shape);
      return tf.div(all, tf.norm(all));
    });
  const pair = (layer: number): tf.Tensor =>
    tf.tidy(() => tf.stack([0, 1].map((half) => ofLength1(rng.at("prompts", layer, half), [length, width]))));
  return {
    selectors: ofLength1(rng.at("selectors"), [selectors, width]),
    prompts: Object.fromEntries(paths.slice(0, layers).map((_, layer) => [layer, pair(layer)])),
  };
}

/** Sends lanes through the blocks beside the examples; what makes one vector of a sequence gives the first of each, `[lanes · n, width]`, lane by lane. */
function lanesAt({ network, weights }: Pick<Pass, "network" | "weights">, own: readonly Lane[]): Within {
  const { paths } = blocksOf(network);
  const count = own.length;
  let lanes: tf.Tensor | undefined;
  /** Whether it is the lanes that go through a block now, and the patches as they come into its attention, `[n, places, width]`. */
  let within = false;
  let seen: tf.Tensor | undefined;
  let [summed, kept]: readonly (tf.Tensor | undefined)[] = [];
  /** `[lanes, …]` as `[lanes · n, …]`. */
  const each = (of: tf.Tensor, n: number): tf.Tensor => {
    const [all, ...rest] = of.shape as [number, number, number];
    return tf.reshape(tf.tile(tf.expandDims(of, 1), [1, n, 1, 1]), [all * n, ...rest]);
  };
  return {
    around(path, x, run) {
      const at = paths.indexOf(path.join("/"));
      if (at < 0) {
        if (lanes === undefined || x.rank !== 3) return run(x);
        const y = run(x);
        return y.rank === 3 ? y : run(tf.slice(x, [0, 0, 0], [x.shape[0]!, 1, x.shape[2]!]));
      }
      const [n, , width] = x.shape as [number, number, number];
      lanes ??= tf.concat(
        [tf.tile(tf.slice(x, [0, 0, 0], [n, 1, width]), [count, 1, 1]), each(tf.stack(own.map((l) => l.selectors)), n)],
        1,
      );
      const y = run(x);
      within = true;
      lanes = run(lanes);
      within = false;
      return at === paths.length - 1 ? lanes : y;
    },
    attended(path, key, value) {
      const layer = paths.indexOf(path.join("/"));
      if (!within || own[0]!.prompts[layer] === undefined) return [key, value];
      const n = key.shape[0]! / count;
      const pairs = own.map(({ prompts }) => tf.unstack(prompts[layer]!));
      const before = (half: number): tf.Tensor => each(tf.stack(pairs.map((pair) => pair[half]!)), n);
      return [tf.concat([before(0), key], 1), tf.concat([before(1), value], 1)];
    },
    tap(path, input, output) {
      const part = path.at(-1)!;
      if (!paths.includes(path.slice(0, -1).join("/"))) return output;
      if (!within) {
        if (part === "query") seen = tf.reshape(input, [lanes!.shape[0]! / count, -1, input.shape[1]!]);
        return output;
      }
      if (part === "query") [summed, kept] = summaries(input, seen!, lanes!);
      if (part === "query" || part === "key" || part === "value") {
        const { kernel, bias } = layerAt(weights, path.join("/")) as { kernel: tf.Tensor2D; bias?: tf.Tensor };
        const y = tf.matMul(summed as tf.Tensor2D, kernel);
        return bias === undefined ? y : tf.add(y, bias);
      }
      if (part !== "out") return output;
      const [rows, places] = lanes!.shape as [number, number, number];
      const first = tf.slice(tf.reshape(output, [rows, places, -1]), [0, 0, 0], [rows, 1, -1]);
      return tf.reshape(tf.concat([first, kept!], 1), output.shape);
    },
  };
}

/** The rows of lanes with sums of the patches in the place of the selectors, and the selectors, `[lanes · n, selectors, width]`. */
function summaries(input: tf.Tensor, seen: tf.Tensor, lanes: tf.Tensor): [summed: tf.Tensor, kept: tf.Tensor] {
  const [rows, places, width] = lanes.shape as [number, number, number];
  const all = tf.reshape(input, lanes.shape);
  const first = tf.slice(all, [0, 0, 0], [rows, 1, width]);
  const selectors = tf.slice(all, [0, 1, 0], [rows, places - 1, width]) as tf.Tensor3D;
  const patches = tf.tile(seen, [rows / seen.shape[0]!, 1, 1]) as tf.Tensor3D;
  const shares = tf.softmax(tf.div(tf.matMul(selectors, patches, false, true), Math.sqrt(width))) as tf.Tensor3D;
  return [tf.reshape(tf.concat([first, tf.matMul(shares, patches)], 1), input.shape), selectors];
}
