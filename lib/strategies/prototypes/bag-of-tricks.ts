import type { Examples } from "../../data/dataset.ts";
import { mapTensors, type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { amongSeen, marked } from "../parts/closed-form.ts";
import { supervisedContrast } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { headKernel, withColumns } from "../parts/head-kernel.ts";
import { addedBy, cosines } from "../parts/prompts.ts";
import { between } from "../parts/rows.ts";
import { simplex } from "../parts/simplex.ts";
import { turned, turnedEach, turnsOf } from "../parts/turned.ts";
import { requireViews, type ViewOptions, viewOf } from "../parts/views.ts";
import { type Context, requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

/** What is trained beside the network. A type, to be a tree of tensors. */
type Beside = Readonly<Record<"first" | "second" | "pseudo" | "turns", tf.Tensor2D>>;

interface Memory {
  /** How many examples the vector of a class is the mean of. */
  readonly counts: ReadonlyMap<number, number>;
  readonly tensors: {
    /** `[1, columns]`: 1 for the classes met so far; absent before the first experience. */
    readonly met?: tf.Tensor;
    /** After the first experience: how much of a step each weight takes, or one number for all. */
    readonly moves?: Params | tf.Tensor;
  };
}

/**
 * A bag of tricks for few-shot class-incremental learning: each an option that can be left out, over a network that is trained on the first experience and
 * frozen, with the mean features of a class as its vector, from the end of its experience, and classification by `scale` times the cosine.
 *
 * Tricks of stability, in the first experience: `contrastive` adds the supervised contrastive loss of the batch and a view of it, projected to unit vectors;
 * `assigned` fixes the vectors of all classes, also those to come, as the vertices of a simplex, all of which compete until it ends; `pseudo` makes of each class another
 * one, of its examples turned by half, with a trained vector of its own. Tricks of adaptability, in later experiences: `finetune` trains the network on the
 * few examples, all vectors staying, at `rate` times the step of the optimizer; `subnet` lets only the share of each kernel's weights move that are
 * smallest after the first experience. Tricks of training: `pretrain` makes the first part of the first experience a contrast of two views of each example
 * without labels; `signal` adds the cross-entropy of a head that foretells how often a view was turned. The eighth trick, a larger encoder, is another model:
 * `tricksTable` has it as a row.
 *
 * Roy, Park, Fahrezi and Etemad 2024, "A bag of tricks for few-shot class-incremental learning", arXiv:2403.14392.
 * Written from the abstract and what the paper says its tricks are; chosen here: the turn by half as what makes a pseudo-class, the smallest weights as the
 * part that moves, the two-view contrast (Chen et al. 2020) as pre-training, quarter turns as the signal, that vectors become means also where they were
 * assigned, and all strengths. Examples that are no images are turned by reading them from their end, and square images alone by quarters.
 *
 * Implements: P382 Bag of Tricks for FSCIL
 *
 * @throws TypeError where the head has no column for each class, or with `assigned` where they are not known; RangeError where `assigned` finds features
 * narrower than there are classes less one, or `subnet` is asked for without `finetune`.
 *
 * @example
 * ```ts
 * import { bagOfTricks } from "thalweg";
 * bagOfTricks({ finetune: false, subnet: false });
 * ```
 */
export const bagOfTricks = strategy(
  "bagOfTricks",
  {
    /** Supervised contrast in the first experience. */
    contrastive: true,
    /** Fixed vectors for all classes from the start. */
    assigned: true,
    /** A class of turned examples beside each class. */
    pseudo: true,
    /** Training on few examples in later experiences. */
    finetune: true,
    /** Of the smallest weights alone. */
    subnet: true,
    /** A contrast without labels at the start. */
    pretrain: true,
    /** Foretelling turns. */
    signal: true,
    /** What cosines are multiplied by. */
    scale: 16,
    /** Strength and temperature of the contrast, and length of the projected vectors. */
    contrast: 1,
    temperature: 0.1,
    projected: 64,
    /** Strength of the cross-entropy of turns. */
    turns: 0.5,
    /** Share of the first experience's steps that pre-train. */
    early: 0.3,
    /** Share of a step that is taken in later experiences, and of each kernel's weights that take it with `subnet`. */
    rate: 0.1,
    share: 0.1,
    /** How views differ from an example: pixels of moves, the share mirrored, deviation of noise, the share hidden. */
    shiftPixels: 1,
    flip: 0,
    noise: 0.1,
    hide: 0.1,
  },
  (options) => {
    const { assigned, contrastive, finetune, pretrain, pseudo, signal, subnet } = options;
    const { scale, contrast, temperature, projected, turns, early, rate, share, ...rest } = options;
    const views: ViewOptions = rest;
    requireViews("bagOfTricks", views);
    for (const [what, value] of Object.entries({ contrast, turns })) requireNumber("bagOfTricks", what, value, 0);
    for (const [what, value] of Object.entries({ early, rate, share })) requireNumber("bagOfTricks", what, value, 0, 1);
    for (const [what, value] of Object.entries({ scale, temperature })) requireNumber("bagOfTricks", what, value, 1e-6);
    requireWhole("bagOfTricks", "projected", projected, 1);
    if (subnet && !finetune)
      throw new RangeError(`bagOfTricks: "subnet" is about fine-tuning, got finetune false; set subnet: false too`);

    const unit = (features: tf.Tensor, { first, second }: Beside): tf.Tensor =>
      normalised(tf.matMul(tf.relu(tf.matMul(features as tf.Tensor2D, first)) as tf.Tensor2D, second));

    /** Two views of each example, alike with each other and with no other. */
    const unlabelled = (step: Step): tf.Scalar => {
      const own = addedBy<Beside>(step, "bagOfTricks");
      const n = step.x.shape[0]!;
      const at = (name: string): tf.Tensor => viewOf(step.x, step.rng?.at("bagOfTricks", name) ?? null, views);
      const { features } = step.forward(tf.concat([at("one"), at("two")], 0), { task: null });
      const vectors = unit(features, own);
      const same = tf.tile(tf.range(0, n), [2]);
      return supervisedContrast(vectors, same, temperature);
    };

    const first = (step: Step, met: tf.Tensor): tf.Scalar => {
      const { x, y, weights, features, mask, rng } = step;
      const own = addedBy<Beside>(step, "bagOfTricks");
      const n = x.shape[0]!;
      const ways = turnsOf(x.shape.slice(1));
      const drawn = rng === null ? tf.mod(tf.range(0, n), ways) : tf.floor(tf.mul(rng.at("turn").uniforms([n]), ways));
      const more = {
        ...(contrastive && { view: viewOf(x, rng?.at("view") ?? null, views) }),
        ...(pseudo && { half: turned(x, ways / 2) }),
        ...(signal && { any: turnedEach(x, drawn) }),
      };
      const names = Object.keys(more);
      const passed =
        names.length === 0 ? features : step.forward(tf.concat(Object.values(more), 0), { task: null }).features;
      const partOf = (name: string): tf.Tensor =>
        between(passed, names.indexOf(name) * n, (names.indexOf(name) + 1) * n);

      const columns = tf.transpose(headKernel("bagOfTricks", weights)) as tf.Tensor2D;
      const count = columns.shape[0];
      const open = assigned ? tf.onesLike(met) : met;
      const real = mask === null ? open : tf.mul(mask, open);
      const vectors = pseudo ? tf.concat([columns, tf.transpose(own.pseudo)], 0) : columns;
      const beside = mask === null ? met : tf.mul(mask, met);
      const competing = pseudo ? tf.concat([real, beside], 1) : real;
      const entropy = (rows: tf.Tensor, labels: tf.Tensor): tf.Tensor =>
        step.crossEntropy(tf.mul(cosines(rows, vectors), scale), labels, competing, step.weight);
      let loss: tf.Tensor = entropy(features, y);
      if (pseudo) loss = tf.add(loss, entropy(partOf("half"), tf.add(tf.cast(y, "int32"), tf.scalar(count, "int32"))));
      if (contrastive) {
        const both = unit(tf.concat([features, partOf("view")], 0), own);
        // an example without a label is alike with its own view alone
        const label = tf.where(tf.less(y, 0), tf.sub(-1, tf.range(0, n)), tf.cast(y, "float32"));
        loss = tf.add(loss, tf.mul(supervisedContrast(both, tf.tile(label, [2]), temperature), contrast));
      }
      if (signal) {
        const foretold = tf.matMul(partOf("any") as tf.Tensor2D, own.turns);
        loss = tf.add(loss, tf.mul(step.crossEntropy(foretold, tf.cast(drawn, "int32"), null), turns));
      }
      return loss as tf.Scalar;
    };

    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      parameters({ network, weights, stream, columns, rng }): Params {
        headKernel("bagOfTricks", weights);
        const width = network.width.at(-1)!;
        const random = (name: string, inputs: number, outputs: number): tf.Tensor =>
          rng.at(name).normals([inputs, outputs], 0, Math.sqrt(1 / inputs));
        return {
          first: random("first", width, width),
          second: random("second", width, projected),
          pseudo: random("pseudo", width, columns),
          turns: random("turns", width, turnsOf(stream.shape)),
        };
      },
      init: (): Memory => ({ counts: new Map(), tensors: {} }),
      beforeExperience(memory: Memory, { classes, train }, context) {
        const { columns, weights, rng } = context;
        const tensors = { ...memory.tensors, met: marked(columns, classes, memory.tensors.met) };
        if (memory.tensors.met === undefined)
          return assigned
            ? { ...memory, tensors, weights: withVertices(context, rng.at("vertices")) }
            : { ...memory, tensors };
        if (!finetune) return { ...memory, tensors };
        const fresh = [...meansOf(train, context)].filter(([c]) => !memory.counts.has(c));
        const begun = new Map(fresh.map(([column, { mean }]) => [column, mean]));
        return { ...memory, tensors, weights: withColumns(weights, begun), restart: true };
      },
      data: ({ tensors }: Memory, { train }) =>
        tensors.moves === undefined || finetune ? train : { ...train, length: 0, labels: new Int32Array(0) },
      batch({ tensors }: Memory, batch, { step, epochs, batch: size }) {
        const steps = Math.ceil(batch.from.length / size) * epochs;
        if (!pretrain || tensors.moves !== undefined || step >= Math.round(early * steps)) return batch;
        return withExtra(batch, "bagOfTricks", { unlabelled: { data: Float32Array.of(1), shape: [] } });
      },
      taskLoss({ tensors }: Memory, step) {
        const met = tensors.met!;
        if (step.extra.unlabelled !== undefined) return unlabelled(step);
        if (tensors.moves === undefined) return first(step, met);
        const vectors = tf.transpose(headKernel("bagOfTricks", step.weights));
        const open = step.mask === null ? met : tf.mul(step.mask, met);
        return step.crossEntropy(tf.mul(cosines(step.features, vectors), scale), step.y, open, step.weight);
      },
      weights({ tensors: { moves } }: Memory, { before, after }) {
        if (moves === undefined) return assigned ? { ...after, head: before.head } : after;
        return { ...before, model: moved(before.model, after.model, moves) };
      },
      afterExperience(memory: Memory, { index }, context) {
        const { train } = context.stream.experience(index);
        const isFirst = memory.tensors.moves === undefined;
        const found = meansOf(train, context);
        const counts = new Map(memory.counts);
        const kernel = headKernel("bagOfTricks", context.weights).dataSync();
        const next = new Map<number, Float64Array>();
        for (const [column, { mean, count }] of found) {
          const before = counts.get(column) ?? 0;
          counts.set(column, before + count);
          next.set(
            column,
            mean.map((v, j) => (v * count + kernel[j * context.columns + column]! * before) / (before + count)),
          );
        }
        const tensors = isFirst
          ? { ...memory.tensors, moves: subnet ? smallest(context.weights, share, rate) : tf.scalar(rate) }
          : memory.tensors;
        return { counts, tensors, weights: withColumns(context.weights, next) };
      },
      rowwise: true,
      predict({ tensors }: Memory, { features, logits, weights }) {
        if (tensors.met === undefined) return logits;
        const vectors = tf.slice(tf.transpose(headKernel("bagOfTricks", weights)), [0, 0], [tensors.met.shape[1]!, -1]);
        return amongSeen(tf.mul(cosines(features, vectors), scale), tensors.met, logits.shape[1]!);
      },
    };
  },
  ["boundary", "labels"],
);

/** The weights with the vertices of a simplex as the columns of the head. */
function withVertices({ weights, network, stream, columns }: Context, rng: Rng): Weights {
  if (stream.head === "growing")
    throw new TypeError(
      "bagOfTricks: with assigned vectors a stream whose classes are known is required, got one whose head grows; set assigned: false",
    );
  const width = network.width.at(-1)!;
  const rows = simplex("bagOfTricks", columns, width, rng);
  const vectors = Array.from({ length: columns }, (_, c) => [c, rows.subarray(c * width, (c + 1) * width)] as const);
  return withColumns(weights, new Map(vectors));
}

/** The mean features of each class of a table, and of how many examples. */
function meansOf(
  train: Examples,
  { outputs, network }: Context,
): Map<number, { readonly mean: Float64Array; readonly count: number }> {
  const width = network.width.at(-1)!;
  const { features } = outputs(train);
  const found = new Map<number, { mean: Float64Array; count: number }>();
  for (const [i, label] of train.labels.entries()) {
    if (label < 0) continue;
    const { mean, count } = found.get(label) ?? { mean: new Float64Array(width), count: 0 };
    for (let j = 0; j < width; j++) mean[j]! += (features[i * width + j]! - mean[j]!) / (count + 1);
    found.set(label, { mean, count: count + 1 });
  }
  return found;
}

/** For each weight how much of a step it takes: `rate` for the share of each kernel's numbers that are smallest, 0 for others. */
function smallest({ model }: Pick<Weights, "model">, share: number, rate: number): Params {
  return mapTensors((own: tf.Tensor) => {
    if (own.rank < 2) return tf.zerosLike(own);
    const sizes = own.dataSync().map(Math.abs);
    const most = sizes.slice().sort()[Math.max(0, Math.round(share * sizes.length) - 1)]!;
    return tf.tensor(
      sizes.map((v) => (share > 0 && v <= most ? rate : 0)),
      own.shape,
    );
  }, model);
}

/** *Traced.* `before + moves · (after − before)`. */
function moved(before: Params, after: Params, moves: Params | tf.Tensor): Params {
  const by = (old: tf.Tensor, now: tf.Tensor, own: tf.Tensor): tf.Tensor => tf.add(old, tf.mul(tf.sub(now, old), own));
  return moves instanceof tf.Tensor
    ? mapTensors((old: tf.Tensor, now?: tf.Tensor) => by(old, now!, moves), before, after)
    : mapTensors((old: tf.Tensor, now?: tf.Tensor, own?: tf.Tensor) => by(old, now!, own!), before, after, moves);
}
