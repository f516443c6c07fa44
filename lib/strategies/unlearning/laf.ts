import type { Examples } from "../../data/dataset.ts";
import { cloneTree, disposeTree, jit, mapTensors, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { rowsAt } from "../parts/descent.ts";
import { descended, drawn, evaluatedBy, retainedOf } from "../parts/unlearning.ts";
import { freshVae, reconstructed, representationLoss, type Vae } from "../parts/vae.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Label-agnostic forgetting: features of what is to be forgotten are driven out of the distribution that they had, those of what remains are
 * held in theirs, and no label is used.
 *
 * Two autoencoders learn the features of what remains and of what is to be forgotten. Then the network below its head goes down by
 * `‖g − h(g)‖²` of what remains and up by `‖g − h_f(g)‖²` of what is to be forgotten, and by a contrastive loss: features of what remains
 * stay near those they were, while those of what is forgotten leave theirs. With `repair` the head then learns from that many labelled
 * examples of what remains.
 *
 * Implements: P305 LAF label-agnostic forgetting
 *
 * Shen et al. 2024, arXiv:2404.00506, eq. 5–11 and algorithm 1 (LAF, and LAF+R with `repair`).
 * Differs from the paper: Adam at one rate for all; what is to be forgotten is pushed until its reconstruction is as bad as `most`, as there
 * is no other end.
 *
 * @example
 * ```ts
 * import { classes, digits, laf, mlp } from "thalweg";
 * classes(digits()).split(5).forget(["0"], { at: 2 }).learn(mlp()).by(laf({ repair: 50 }));
 * ```
 */
export const laf = strategy(
  "laf",
  {
    lr: 1e-3,
    batch: 32,
    /** Passes that the autoencoders and the network learn for. */
    epochs: 20,
    /** Numbers in the autoencoders' codes, and units of their layers. */
    latent: 8,
    units: 64,
    /** The temperature of the contrastive loss. */
    temperature: 0.5,
    /** How badly features of what is forgotten are reconstructed, in mean squares of what they were, when that is enough. */
    most: 4,
    /** Labelled examples of what remains that the head learns from in the end. */
    repair: 0,
  },
  ({ lr, batch, epochs, latent, units, temperature, most, repair }) => {
    for (const [name, value] of Object.entries({ lr, most })) requireNumber("laf", name, value, 0);
    requireNumber("laf", "temperature", temperature, 1e-6);
    for (const [name, value] of Object.entries({ batch, epochs, latent, units })) requireWhole("laf", name, value, 1);
    requireWhole("laf", "repair", repair, 0);
    const optimizer = adam({ lr });

    /** An autoencoder of the features of a table. */
    function learnt(name: string, table: Examples, { network, statistics, weights, rng, experience }: Context): Vae {
      const own = rng.at("laf", name, experience);
      const width = network.width.reduce((a, b) => a * b, 1);
      type Now = { vae: Vae; state: Tree };
      const step = jit(
        ({ vae, state }: Now, at: Weights, x: tf.Tensor, noise: tf.Tensor): Now => {
          const { features } = evaluatedBy(network, statistics, at, x);
          const { grads } = valueAndGrad((v: Vae) => representationLoss(v, features, noise), vae);
          const [moves, next] = optimizer.update(
            grads as unknown as Tree,
            state,
            vae as unknown as Tree,
            tf.scalar(lr),
          );
          return { vae: mapTensors((w, move) => tf.add(w, move!), vae, moves as unknown as Vae), state: next };
        },
        { name: "laf", donate: [0] },
      );
      let now: Now = { vae: scoped(() => freshVae(own, [width], latent, units)), state: [] };
      now.state = scoped(() => optimizer.init(now.vae as unknown as Tree));
      for (let epoch = 0; epoch < epochs; epoch++) {
        const order = own.at(epoch).permutation(table.length);
        for (let start = 0; start < order.length; start += batch) {
          const { x, y } = rowsAt(table, order.subarray(start, start + batch));
          const noise = own.at(epoch, start).normals([x.shape[0]!, latent]);
          now = step(now, weights, x, noise);
          disposeTree([x, y, noise]);
        }
      }
      disposeTree(now.state);
      return now.vae;
    }

    return {
      tokens: "no stream of tokens asks to forget a class",
      classes: true,
      forget(state, { examples }, context) {
        const kept = retainedOf(context);
        if (examples.length === 0 || kept === null) return state;
        const { network, statistics, weights, rng, experience } = context;
        const [stay, leave] = [learnt("stay", kept, context), learnt("leave", examples, context)];
        type Now = { model: Weights["model"]; state: Tree };
        const step = jit(
          (now: Now, from: Weights, h: Vae, hf: Vae, x: tf.Tensor, xf: tf.Tensor): Now => {
            const featuresOf = (at: Weights, rows: tf.Tensor): tf.Tensor2D =>
              tf.reshape(evaluatedBy(network, statistics, at, rows).features, [rows.shape[0]!, -1]);
            const [before, beforeF] = [featuresOf(from, x), featuresOf(from, xf)];
            const size = tf.maximum(tf.mean(tf.square(beforeF)), 1e-12);
            const { grads } = valueAndGrad((model: Weights["model"]) => {
              const at = { ...from, model };
              const [g, gf] = [featuresOf(at, x), featuresOf(at, xf)];
              const held = tf.div(tf.mean(tf.square(tf.sub(g, reconstructed(h, g)))), size);
              const left = tf.div(tf.mean(tf.square(tf.sub(gf, reconstructed(hf, gf))), 1), size);
              const out = tf.mean(tf.minimum(left, most));
              const near = cosines(g, before);
              const others = tf.logSumExp(tf.div(cosines(gf, beforeF), temperature));
              const aligned = tf.mean(tf.sub(tf.div(near, temperature), others));
              return tf.sub(tf.sub(held, out), aligned) as tf.Scalar;
            }, now.model);
            const [moves, next] = optimizer.update(grads as Tree, now.state, now.model as Tree, tf.scalar(lr));
            return {
              model: mapTensors((w, move) => tf.add(w, move!), now.model, moves as Weights["model"]),
              state: next,
            };
          },
          { name: "laf", donate: [0] },
        );
        const own = rng.at("laf", experience);
        let now: Now = { model: cloneTree(weights.model), state: scoped(() => optimizer.init(weights.model as Tree)) };
        for (let epoch = 0; epoch < epochs; epoch++) {
          const order = own.at("forget", epoch).permutation(examples.length);
          for (let start = 0; start < order.length; start += batch) {
            const some = own.at("retain", epoch, start).sample(kept.length, Math.min(batch, kept.length));
            const [a, b] = [rowsAt(kept, some), rowsAt(examples, order.subarray(start, start + batch))];
            now = step(now, weights, stay, leave, a.x, b.x);
            disposeTree([a, b]);
          }
        }
        const { model: _, ...rest } = weights;
        const all = { ...cloneTree(rest), model: now.model } as Weights;
        disposeTree([now.state, stay, leave] as unknown as Tree);
        if (repair === 0) return { ...state, weights: all, restart: true };
        const few = drawn(kept, repair, own.at("repair"));
        const repaired = descended("repair", context, all, few, { lr, batch, epochs }, own.at("repair order"));
        const next = { ...all, head: cloneTree(repaired.head) };
        disposeTree([repaired, all.head] as unknown as Tree);
        return { ...state, weights: next, restart: true };
      },
    };
  },
);

/** The cosine of each row to the same row of another matrix. */
function cosines(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor {
  const lengths = tf.sqrt(tf.mul(tf.add(tf.sum(tf.square(a), 1), 1e-12), tf.add(tf.sum(tf.square(b), 1), 1e-12)));
  return tf.div(tf.sum(tf.mul(a, b), 1), lengths);
}
