import { mapTensors, paths, type Rng, scoped, type Tree, tf } from "../../engine/index.ts";
import { drawWeights } from "../../models/initial.ts";
import type { Params } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { type Flat, withSubset } from "../../optim/parts/subset.ts";
import { requireNumber } from "../parts/checks.ts";
import { openColumns } from "../parts/open-columns.ts";
import { addedBy, chosen, cosines, queryOf, withAdded } from "../parts/prompts.ts";
import { strategy } from "../strategy.ts";

/** What one task trains: what is added to each normalisation's numbers, its key, and the head of its first stage. */
type Own = {
  readonly norms: Flat;
  readonly key: tf.Tensor;
  readonly fake: { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
};

interface Memory {
  readonly carried?: { readonly steps: tf.Tensor };
  /** What tasks before have kept, one on another; the columns of this experience; the step that its second stage begins with. */
  readonly tensors: {
    readonly norms?: Flat;
    readonly keys?: tf.Tensor;
    readonly open?: tf.Tensor;
    readonly second?: tf.Tensor;
  };
}

/**
 * Each task trains the scales and shifts of the normalisations of a frozen transformer, and a key; an example passes through those of the task
 * whose key is nearest to what the untouched network makes of it.
 *
 * In the first part of an experience's steps the normalisations and the key are trained, with a head that is thrown away; then the head that
 * stays is trained, while examples choose as they will at test time: a choice that is wrong is one it has seen. Both see the columns of the experience alone. A new task begins with what the last
 * has. Memory grows with the number of tasks. Work grows too: an example passes once for each.
 *
 * Implements: P222 LayerNorm tuning for CL ViTs
 *
 * De Min, Mancini, Alahari, Alameda-Pineda and Ricci 2023, "On the effectiveness of LayerNorm tuning for continual learning in vision
 * transformers", arXiv:2308.09610, section 3.2 and 3.3, and the authors' program. Differs from it: both stages are parts of the same steps, and share one optimizer.
 *
 * @example
 * ```ts
 * import { lnTuning } from "thalweg";
 * lnTuning({ first: 0.7 });
 * ```
 */
export const lnTuning = strategy(
  "lnTuning",
  {
    /** Share of an experience's steps that train normalisations and key. */
    first: 0.5,
    /** How strongly keys are pulled to what they are for. */
    pull: 1,
  },
  ({ first, pull }) => {
    requireNumber("lnTuning", "first", first, 0, 1);
    requireNumber("lnTuning", "pull", pull, 0);
    const ownOf = (weights: Weights): Own => weights.added!.lnTuning as unknown as Own;
    /** 1 in the second part of an experience, else 0. */
    const isSecond = ({ carried, tensors }: Memory): tf.Tensor =>
      tf.cast(tf.greaterEqual(carried!.steps, tensors.second!), "float32");
    return {
      attention: true,
      classes: true,
      tokens: "it chooses by one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, weights, columns, rng }): Params => {
        const norms = mapTensors((t: tf.Tensor) => tf.zerosLike(t), normsIn(network, weights));
        return { norms, ...drawn(network, columns, rng.at("task", 0)) } as unknown as Params;
      },
      init: (): Memory => ({ carried: { steps: tf.scalar(0) }, tensors: {} }),
      beforeExperience(memory: Memory, experience, context) {
        const { weights, batch, epochs, network, columns, rng } = context;
        const { tensors } = memory;
        const { index, train } = experience;
        const own = ownOf(weights);
        const steps = Math.ceil(train.length / batch) * epochs;
        const now = { open: openColumns(experience, context), second: tf.scalar(Math.round(first * steps)) };
        const carried = { steps: tf.scalar(0) };
        if (index === 0) return { carried, tensors: now };
        const kept = scoped(() => {
          const stacked = (before: tf.Tensor | undefined, t: tf.Tensor): tf.Tensor =>
            before === undefined ? tf.expandDims(t, 0) : tf.concat([before, tf.expandDims(t, 0)], 0);
          const norms = Object.fromEntries(
            Object.entries(own.norms).map(([path, t]) => [path, stacked(tensors.norms?.[path], t)]),
          );
          return { norms, keys: stacked(tensors.keys, own.key) };
        });
        const next = {
          norms: mapTensors((t: tf.Tensor) => t.clone(), own.norms),
          ...drawn(network, columns, rng.at("task", index)),
        };
        return {
          carried,
          tensors: { ...now, ...kept },
          weights: withAdded(weights, "lnTuning", next as unknown as Params),
          restart: true,
        };
      },
      forward(memory: Memory, pass) {
        const { weights, network, plain, training } = pass;
        const own = addedBy<Own>(pass, "lnTuning");
        const passed = (norms: Flat): tf.Tensor => plain(withNorms(network, weights, norms)).features;
        const query = queryOf(pass);
        const mine = passed(own.norms);
        const { norms, keys } = memory.tensors ?? {};
        const all = [...tasksOf(norms).map(passed), mine];
        const near = cosines(
          query,
          keys === undefined ? tf.expandDims(own.key, 0) : tf.concat([keys, tf.expandDims(own.key, 0)], 0),
        );
        const which = tf.squeeze(chosen(near, 1), [1]);
        const features = all.reduce<tf.Tensor>(
          (sum, of, i) => tf.add(sum, tf.mul(of, tf.slice(which, [0, i], [of.shape[0]!, 1]))),
          tf.zerosLike(mine),
        );
        const logits = network.logits(weights, features);
        if (!training) return { features, logits };
        const fake = tf.add(tf.matMul(mine as tf.Tensor2D, own.fake.kernel as tf.Tensor2D), own.fake.bias);
        const likeness = tf.slice(near, [0, all.length - 1], [near.shape[0]!, 1]);
        return { features, logits, aside: { fake, likeness } };
      },
      taskLoss(memory: Memory, step) {
        const second = isSecond(memory);
        const { open } = memory.tensors;
        const mask = step.mask === null ? open! : tf.mul(step.mask, open!);
        const loss = (logits: tf.Tensor): tf.Scalar => step.crossEntropy(logits, step.y, mask, step.weight);
        const begun = tf.sub(loss(step.aside.fake!), tf.mul(tf.mean(step.aside.likeness!), pull));
        return tf.add(tf.mul(loss(step.logits), second), tf.mul(begun, tf.sub(1, second))) as tf.Scalar;
      },
      gradient: (memory: Memory, gradient) => {
        const second = isSecond(memory);
        const own = mapTensors((g) => tf.mul(g, tf.sub(1, second)), gradient.added!.lnTuning as Params);
        return {
          ...gradient,
          head: mapTensors((g) => tf.mul(g, second), gradient.head),
          added: { ...gradient.added, lnTuning: own },
        };
      },
      weights(memory: Memory, { before, after }) {
        const second = tf.greater(isSecond(memory), 0);
        const moved = (was: Params, now: Params, moves: tf.Tensor): Params =>
          mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.where(moves, b!, a), was, now);
        const own = moved(before.added!.lnTuning as Params, after.added!.lnTuning as Params, tf.logicalNot(second));
        return { ...after, head: moved(before.head, after.head, second), added: { ...after.added, lnTuning: own } };
      },
      update: ({ carried }: Memory): Tree => ({ steps: tf.add(carried!.steps, 1) }),
    };
  },
  ["boundary", "length"],
);

/** The scales and shifts of a model's normalisations, by where they lie. */
function normsIn({ kindOf }: Network, { model }: Weights): Flat {
  return Object.fromEntries(paths(model as Tree).filter(([path]) => kindOf(`model/${path}`) === "norm"));
}

/** A new task's key and first head. */
function drawn({ width }: Network, columns: number, rng: Rng): Pick<Own, "key" | "fake"> {
  const [units] = width as readonly [number];
  const kernel = drawWeights("torch", rng.at("head"), [units, columns], units, columns);
  return { key: rng.at("key").uniforms([units]), fake: { kernel, bias: tf.zeros([columns]) } };
}

/** *Traced.* Weights whose normalisations have something added. */
function withNorms(network: Network, weights: Weights, added: Flat): Weights {
  const moved = mapTensors((t: tf.Tensor, by?: tf.Tensor) => tf.add(t, by!), normsIn(network, weights), added);
  return { ...weights, model: withSubset(weights.model as Tree, moved, (leaf) => leaf) as unknown as Params };
}

/** *Traced.* What was kept, task by task. */
function tasksOf(norms: Flat | undefined): Flat[] {
  if (norms === undefined) return [];
  const count = Object.values(norms)[0]?.shape[0] ?? 0;
  return Array.from({ length: count }, (_, i) => mapTensors((stack: tf.Tensor) => tf.unstack(stack)[i]!, norms));
}
