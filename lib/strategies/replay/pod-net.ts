import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import { oneHots } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { blanks, type Choice, choices, type Exemplars, rehearsal, unmet, withExperience } from "../parts/exemplars.ts";
import { addedBy } from "../parts/prompts.ts";
import { recalled, type Snapshot, snapshot } from "../parts/snapshot.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** Proxies of the classes, `[columns · proxies, features]`, and the scale of their likeness. A type, so that it is a tree of tensors. */
type Proxies = { readonly proxy: tf.Tensor; readonly scale: tf.Tensor };

interface Memory {
  readonly exemplars: Exemplars | null;
  readonly tensors: {
    /** `[1, columns]`: the classes so far. */
    readonly seen?: tf.Tensor;
    /** The network before the experience, and `√(classes / new classes)`. */
    readonly teacher?: Snapshot;
    readonly growth?: tf.Tensor;
  };
}

/**
 * PODNet: what a network's convolutions give is held in its sums over rows and over columns, and a class is told by several proxies.
 *
 * The likeness of an example with a class is the mean of the cosines of its features with the class's `proxies`, each weighed by their
 * softmax; the loss is `max(0, −log exp(η (ŷ_y − margin)) / Σ_{i≠y} exp(η ŷ_i))` with a trained η, over the classes so far. On the
 * experience's examples and exemplars the network is held to itself before the experience by `√(classes / new) · (spatial · POD + flat · mean
 * (1 − cos(f, f*)))`; POD is the mean over convolutions and examples of the distance between unit vectors of the squares of their output,
 * summed over each row and over each column.
 *
 * Douillard et al. 2020, arXiv:2004.13513, eq. 4–6 and 9; the defaults are those of the program arthurdouillard/incremental_learning.pytorch
 * for CIFAR-100.
 * Differs from the paper: every convolution counts, before its rectifier, not the last of each stage; proxies of new classes begin at random,
 * not at clusters of their features; no fine-tuning on balanced classes. Where there is no convolution only `flat` holds.
 *
 * @example
 * ```ts
 * import { podNet } from "thalweg";
 * podNet({ capacity: 2000, spatial: 3 });
 * ```
 */
export const podNet = strategy(
  "podNet",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** Proxies of each class. */
    proxies: 10,
    /** How much less an example's own class counts. */
    margin: 0.6,
    /** Strength of the pull on sums over rows and columns, and of that on directions of features. */
    spatial: 3,
    flat: 1,
  },
  ({ capacity, choose, proxies, margin, spatial, flat }) => {
    requireWhole("podNet", "capacity", capacity, 1);
    requireOneOf("podNet", "choose", choose, choices);
    requireWhole("podNet", "proxies", proxies, 1);
    for (const [what, value] of Object.entries({ margin, spatial, flat })) requireNumber("podNet", what, value, 0);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      parameters({ network, columns, rng, stream }): Proxies {
        if (stream.head === "growing")
          throw new TypeError("podNet: a stream whose classes are known is required, got one whose head grows");
        return { proxy: rng.at("proxy").normals([columns * proxies, network.width[0]!]), scale: tf.scalar(1) };
      },
      init: (): Memory => ({ exemplars: null, tensors: {} }),
      beforeExperience({ exemplars, tensors }: Memory, { index, classes }, context): Memory {
        const known = new Set([...classes, ...(exemplars?.classes.keys() ?? [])]);
        const before = tensors.seen === undefined ? [] : [...tensors.seen.dataSync()];
        const seen = Array.from({ length: context.columns }, (_, c) => +(known.has(c) || before[c] === 1));
        const marks = { seen: tf.tensor2d(seen, [1, context.columns]) };
        if (index === 0) return { exemplars, tensors: marks };
        const all = seen.reduce((a, b) => a + b, 0);
        const growth = tf.scalar(Math.sqrt(all / Math.max(1, unmet(exemplars, classes).length)));
        return { exemplars, tensors: { ...marks, teacher: snapshot(context), growth } };
      },
      ...rehearsal,
      rowwise: true,
      forward(_state, pass) {
        const { proxy, scale } = addedBy<Proxies>(pass, "podNet");
        const maps: tf.Tensor[] = [];
        const { features } = pass.plain({
          tap(_path, _input, output) {
            if (output.rank === 4) maps.push(output);
            return output;
          },
        });
        const [n] = features.shape as [number];
        const cosines = tf.matMul(normalised(features) as tf.Tensor2D, normalised(proxy) as tf.Tensor2D, false, true);
        const each = tf.reshape(cosines, [n, proxy.shape[0]! / proxies, proxies]);
        const likeness = tf.sum(tf.mul(tf.softmax(each), each), 2);
        const aside = Object.fromEntries(maps.map((map, i) => [`map${i}`, pooled(map)]));
        return { features, logits: tf.mul(likeness, scale), aside };
      },
      taskLoss({ tensors }, step) {
        const { scale } = addedBy<Proxies>(step, "podNet");
        const own = oneHots(step.y, step.logits.shape[1]!);
        const right = tf.sum(tf.mul(step.logits, own), 1);
        const seen = tensors?.seen ?? tf.onesLike(own);
        const open = step.mask === null ? seen : tf.mul(seen, step.mask);
        const shut = tf.sub(1, tf.mul(open, tf.sub(1, own)));
        const others = tf.logSumExp(tf.add(step.logits, tf.mul(shut, excluded)), 1);
        const short = tf.relu(tf.sub(others, tf.sub(right, tf.mul(scale, margin))));
        if (step.weight === null) return tf.mean(short) as tf.Scalar;
        return tf.div(tf.sum(tf.mul(short, step.weight)), tf.maximum(tf.sum(step.weight), 1e-12)) as tf.Scalar;
      },
      loss({ tensors }, step) {
        if (tensors?.teacher === undefined) return tf.scalar(0);
        const before = recalled(tensors.teacher, step, step.x, step.task);
        const turned = tf.sub(1, tf.sum(tf.mul(normalised(step.features), normalised(before.features)), -1));
        const terms = [tf.mul(tf.mean(turned), flat)];
        const names = Object.keys(step.aside);
        if (names.length > 0) {
          const far = names.map((name) => tf.mean(distance(step.aside[name]!, before.aside![name]!)));
          terms.push(tf.mul(tf.div(tf.addN(far), names.length), spatial));
        }
        return tf.mul(tf.addN(terms), tensors.growth!) as tf.Scalar;
      },
      afterExperience({ exemplars, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, choose, context);
        return { exemplars: next, tensors, notes: blanks(next) };
      },
    };
  },
  ["boundary", "labels"],
);

/** `[n, …]` unit vectors of the squares of an image's channels, summed over each row and over each column. */
function pooled(map: tf.Tensor): tf.Tensor {
  const [n] = map.shape as [number];
  const squares = tf.square(map);
  const sums = [1, 2].map((axis) => tf.reshape(tf.sum(squares, axis), [n, -1]));
  return normalised(tf.concat(sums, 1));
}

/** The distance of each row of two tables; its gradient is 0 where they are the same. */
function distance(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(tf.sum(tf.square(tf.sub(a, b)), 1), 1e-12));
}
