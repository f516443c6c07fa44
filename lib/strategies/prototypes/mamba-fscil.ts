import { type Rng, scoped, tf } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { amongSeen, marked } from "../parts/closed-form.ts";
import { oneHots } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { addedBy, cosines } from "../parts/prompts.ts";
import { projected, projectorParams } from "../parts/selective-projector.ts";
import { simplex } from "../parts/simplex.ts";
import { still } from "../parts/still.ts";
import { type Context, requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

/** The branch that the first experience trains and the one of later ones. A type, to be a tree of tensors. */
type Branches = { readonly base: Params; readonly later: Params };

interface Memory {
  /** The mean feature map of each class, and of how many examples. */
  readonly means: ReadonlyMap<number, { readonly mean: Float32Array; readonly count: number }>;
  readonly tensors: {
    /** `[columns, width]`: the fixed vectors of all classes. */
    readonly vertices: tf.Tensor2D;
    /** `[1, columns]`: 1 for the classes met so far, and for those of the first experience. */
    readonly met?: tf.Tensor;
    readonly base?: tf.Tensor;
    /** From the second experience on. */
    readonly later?: tf.Tensor;
  };
}

/**
 * Mamba-FSCIL: feature maps go through a projector that is a selective state space, whose parameters are made of the map itself, and later classes are learnt by a second
 * such branch beside the first while everything else stays.
 *
 * The map is the last one in the network, before it is pooled or flattened. A branch makes two products at each place, adds a vector for the place, scans the map
 * along and down, each way and back, with one selective state space of `state` numbers for each channel, and takes the mean over places; its output is added to the mean of
 * the map. Classes have the vertices of a simplex as fixed vectors, and the loss is `½ (1 − cos)²` of the output and the vertex of its class.
 * From the second experience on only the second branch is trained; its gate begins at 0, so that at first nothing changes. It has to grow
 * before later classes are known at all, for which a few passes over a few examples are not enough: count steps (the program takes 100 to 200 for each later experience). Batches also have the mean map of each class before,
 * and errors are weighted so that all classes in a batch count alike; with the probability `mixup` outputs are mixed half and half with others. The terms that
 * make the scan sensitive to classes: `suppress` times the root mean square of the gate on the first classes, `−suppressNovel` times that on later ones, and `separate` times half the absolute cosine between the mean of the first and of later classes, of each of what makes steps, what enters and what leaves.
 *
 * Li et al. 2024, "Mamba-FSCIL: dynamic adaptation with selective state space model for few-shot class-incremental learning", arXiv:2407.06136, and the authors' program
 * (xiaojieli0903/Mamba-FSCIL), whose one-dimensional version this is.
 * Differs from the program: it has 100 and 10⁻⁵ times norms over how many numbers they are of, which at its sizes are the strengths here; images are not mixed in the first experience; the mean maps of all classes before are in every batch, once; the sum of the gates of four
 * directions is taken place by place; the state has 16 numbers by default, not 256; the schedule is the run's.
 *
 * Implements: P167 Mamba-FSCIL
 *
 * @throws TypeError where the classes of the stream are not known; RangeError where the map has fewer channels than there are classes less one.
 *
 * @example
 * ```ts
 * import { mambaFscil, net } from "thalweg";
 * const model = net().conv(16, 3).relu().pool(2).conv(32, 3).relu().globalPool();
 * mambaFscil({ state: 8 });
 * ```
 */
export const mambaFscil = strategy(
  "mambaFscil",
  {
    /** Numbers in the state of each channel, and width of what the steps of time are made of. */
    state: 16,
    /** Strength of the term that keeps the second branch's gate shut on the first classes, and of the one that opens it on later ones. */
    suppress: 0.25,
    suppressNovel: 4e-8,
    /** Strength of the term that has first and later classes scanned differently. */
    separate: 1e-3,
    /** How often outputs are mixed in later experiences. */
    mixup: 0.75,
  },
  ({ state, suppress, suppressNovel, separate, mixup }) => {
    requireWhole("mambaFscil", "state", state, 1);
    for (const [what, value] of Object.entries({ suppress, suppressNovel, separate }))
      requireNumber("mambaFscil", what, value, 0);
    requireNumber("mambaFscil", "mixup", mixup, 0, 1);

    /** Labels of the step's own rows and of the mean maps behind them. */
    const labelsOf = ({ y, extra }: Step, columns: number): tf.Tensor => {
      const own = oneHots(y, columns);
      return extra.labels === undefined ? own : tf.concat([own, oneHots(extra.labels, columns)], 0);
    };
    return {
      classes: true,
      tokens: "it knows one map for each example, and a sequence has one at each place",
      parameters({ network, weights, statistics, stream, rng }: Context): Params {
        if (stream.head === "growing")
          throw new TypeError(
            "mambaFscil: a stream whose classes are known is required, got one whose head grows; take classes().split()",
          );
        const shape = tf.tidy(() => {
          const map = mapIn((within) =>
            network.features(weights, tf.zeros([1, ...network.input]), tape(false, null, statistics, within).mode),
          );
          return (map.rank === 4 ? map.shape.slice(1) : [1, 1, map.size]) as [number, number, number];
        });
        const branch = (name: string, shut: boolean): Params => projectorParams(shape, state, shut, rng.at(name));
        return scoped(() => ({ base: branch("base", false), later: branch("later", true) }));
      },
      init({ weights, columns, rng }): Memory {
        const width = (addedBy<Branches>({ weights }, "mambaFscil").base.place as tf.Tensor).shape.at(-1)!;
        const rows = simplex("mambaFscil", columns, width, rng.at("vertices"));
        return { means: new Map(), tensors: { vertices: tf.tensor2d(rows, [columns, width]) } };
      },
      beforeExperience(memory: Memory, { classes, index }, { columns }) {
        const marks = (before?: tf.Tensor): tf.Tensor => marked(columns, classes, before);
        const { vertices, met, base } = memory.tensors;
        if (index === 0) return { ...memory, tensors: { vertices, met: marks(), base: marks() } };
        const tensors = { vertices, met: marks(met), base: base ?? tf.zeros([1, columns]), later: tf.scalar(1) };
        return { ...memory, tensors, restart: index === 1 };
      },
      batch({ means, tensors }: Memory, batch) {
        if (tensors.later === undefined || means.size === 0) return batch;
        const width = [...means.values()][0]!.mean.length;
        const maps = new Float32Array(means.size * width);
        [...means.values()].forEach(({ mean }, i) => {
          maps.set(mean, i * width);
        });
        return withExtra(batch, "mambaFscil", {
          maps: { data: maps, shape: [means.size, width] },
          labels: { data: Int32Array.from(means.keys()), shape: [means.size] },
        });
      },
      rowwise: true,
      forward({ tensors }: Partial<Memory>, pass) {
        const later = tensors?.later !== undefined;
        let logits: tf.Tensor | undefined;
        const map = mapIn((within) => {
          const passed = pass.plain(later ? { ...within, frozen: pass.statistics } : within);
          logits = passed.logits;
          return passed.features;
        });
        const flat = tf.reshape(map, [map.shape[0]!, -1]);
        const features = later ? still(flat) : flat;
        if (!pass.training) return { features, logits: logits! };
        const rows = pass.extra.maps === undefined ? features : tf.concat([features, pass.extra.maps], 0);
        const branches = addedBy<Branches>(pass, "mambaFscil");
        const { out, ...more } = projection(rows, branches, later);
        return { features, logits: logits!, aside: { out, ...more } };
      },
      taskLoss({ tensors }: Memory, step) {
        const { vertices, later } = tensors;
        const out = step.aside.out!;
        const labels = labelsOf(step, vertices.shape[0]);
        const counted = weightsOf(step, labels);
        const wanted = tf.matMul(labels as tf.Tensor2D, vertices);
        if (later === undefined) {
          const apart = tf.square(tf.sub(tf.sum(tf.mul(normalised(out), wanted), 1), 1));
          return mean(tf.mul(apart, 0.5), counted);
        }
        const balance = balanced(labels, counted);
        const partner = partners(out.shape[0]!, step.rng?.at("mambaFscil") ?? null, mixup);
        const mixed = normalised(tf.div(tf.add(out, tf.matMul(partner, out as tf.Tensor2D)), 2));
        const errors = (target: tf.Tensor, size: tf.Tensor): tf.Tensor =>
          tf.mul(tf.square(tf.mul(size, tf.sub(tf.sum(tf.mul(mixed, target), 1), 1))), 0.25);
        const swapped = (of: tf.Tensor): tf.Tensor => tf.reshape(tf.matMul(partner, tf.reshape(of, [-1, 1])), [-1]);
        const both = tf.add(
          errors(wanted, balance),
          errors(tf.matMul(partner, wanted as tf.Tensor2D), swapped(balance)),
        );
        return mean(both, tf.mul(counted, swapped(counted)));
      },
      loss({ tensors }: Memory, step) {
        if (tensors.later === undefined) return tf.scalar(0);
        const labels = labelsOf(step, tensors.vertices.shape[0]);
        const all = tf.sum(labels, 1);
        const first = tf.sum(tf.mul(labels, tensors.base!), 1);
        const novel = tf.sub(all, first);
        const { gate, step: low, into, leaves } = step.aside;
        const each = gate!.size / gate!.shape[0]!;
        const size = (of: tf.Tensor): tf.Tensor => {
          // the gates of four directions together
          const squares = tf.sum(tf.mul(tf.square(tf.mul(gate!, 4)), tf.reshape(of, [-1, 1, 1])));
          return tf.sqrt(tf.add(tf.div(squares, tf.mul(tf.maximum(tf.sum(of), 1), each)), 1e-12));
        };
        const meanOf = (chosen: tf.Tensor, of: tf.Tensor): tf.Tensor => {
          const rows = tf.mean(chosen, 1);
          return tf.div(tf.sum(tf.mul(rows, tf.expandDims(of, 1)), 0, true), tf.maximum(tf.sum(of), 1));
        };
        const likeness = [low!, into!, leaves!].map((chosen) =>
          tf.abs(cosines(meanOf(chosen, first), meanOf(chosen, novel))),
        );
        const both = tf.mul(tf.step(tf.sum(first)), tf.step(tf.sum(novel)));
        const apart = tf.mul(tf.sum(tf.mul(tf.addN(likeness), 0.5)), both);
        const shut = tf.sub(tf.mul(size(first), suppress), tf.mul(size(novel), suppressNovel));
        return tf.add(shut, tf.mul(apart, separate)) as tf.Scalar;
      },
      weights({ tensors }: Memory, { before, after }): Weights {
        const [old, now] = [before, after].map((weights) => addedBy<Branches>({ weights }, "mambaFscil"));
        const later = tensors.later !== undefined;
        const mine = later ? { base: old!.base, later: now!.later } : { base: now!.base, later: old!.later };
        const model = later ? before.model : after.model;
        return { ...after, model, head: before.head, added: { ...after.added, mambaFscil: mine } };
      },
      afterExperience(memory: Memory, { index }, { stream, outputs }): Memory {
        const { train } = stream.experience(index);
        const { features } = outputs(train);
        const width = features.length / Math.max(1, train.length);
        const means = new Map(memory.means);
        for (const [i, label] of train.labels.entries()) {
          if (label < 0) continue;
          const { mean: old, count } = means.get(label) ?? { mean: new Float32Array(width), count: 0 };
          const own = features.subarray(i * width, (i + 1) * width);
          means.set(label, { mean: old.map((v, j) => v + (own[j]! - v) / (count + 1)), count: count + 1 });
        }
        return { ...memory, means };
      },
      forget: (memory: Memory, request): Memory => ({
        ...memory,
        means: new Map([...memory.means].filter(([column]) => !request.has(column))),
      }),
      predict({ tensors }: Partial<Memory>, { features, logits, weights }) {
        if (tensors?.met === undefined) return logits;
        const { out } = projection(features, addedBy<Branches>({ weights }, "mambaFscil"), tensors.later !== undefined);
        return amongSeen(cosines(out, tensors.vertices), tensors.met, logits.shape[1]!);
      },
    };
  },
  ["boundary", "labels"],
);

/** The last map that a pass of the network meets, `[n, height, width, channels]`; what it gives where there is none. */
function mapIn(run: (within: Pick<Within, "around">) => tf.Tensor): tf.Tensor {
  let map: tf.Tensor | undefined;
  const given = run({
    around(path, x, layer) {
      const y = layer(x);
      if (path.length === 2 && y.rank === 4) map = y;
      return y;
    },
  });
  return map ?? given;
}

/** *Traced.* What the branches make of maps together, and what the second chooses. */
function projection(
  maps: tf.Tensor,
  { base, later }: Branches,
  isLater: boolean,
): { readonly out: tf.Tensor; readonly [name: string]: tf.Tensor } {
  const channels = (base.place as tf.Tensor).shape.at(-1)!;
  const first = projected(maps, base);
  const plain = tf.add(first.out, tf.mean(tf.reshape(maps, [maps.shape[0]!, -1, channels]), 1));
  if (!isLater) return { out: plain };
  const { out, gate, chosen } = projected(maps, later);
  const [step, into, leaves] = chosen;
  return { out: tf.add(still(plain), out), gate, step, into, leaves };
}

/** *Traced.* What each row counts: rows without a label nothing. */
function weightsOf({ weight }: Step, labels: tf.Tensor): tf.Tensor {
  const known = tf.sum(labels, 1);
  if (weight === null) return known;
  const rest = labels.shape[0]! - weight.shape[0]!;
  return tf.mul(known, rest === 0 ? weight : tf.concat([weight, tf.ones([rest])], 0));
}

const mean = (values: tf.Tensor, weights: tf.Tensor): tf.Scalar =>
  tf.div(tf.sum(tf.mul(values, weights)), tf.maximum(tf.sum(weights), 1e-12)) as tf.Scalar;

/** *Traced.* `√(rows per class / rows of its class)` for each row. */
function balanced(labels: tf.Tensor, counted: tf.Tensor): tf.Tensor {
  const counts = tf.sum(tf.mul(labels, tf.expandDims(counted, 1)), 0);
  const classes = tf.maximum(tf.sum(tf.step(counts)), 1);
  const own = tf.sum(tf.mul(labels, counts), 1);
  return tf.sqrt(tf.div(tf.div(tf.sum(counted), classes), tf.maximum(own, 1e-6)));
}

/** *Traced.* `[n, n]`: which other row each is mixed with, in random order; itself where nothing is mixed. */
function partners(n: number, rng: Rng | null, probability: number): tf.Tensor2D {
  const self = tf.eye(n);
  if (rng === null) return self;
  const order = tf.topk(rng.at("order").uniforms([n]), n).indices;
  const other = oneHots(order, n);
  const mixes = tf.cast(tf.less(rng.at("mixes").uniforms([1, 1]), probability), "float32");
  return tf.add(self, tf.mul(tf.sub(other, self), mixes)) as tf.Tensor2D;
}
