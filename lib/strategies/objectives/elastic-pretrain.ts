import { cloneTree, mapTensors, type Rng, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { type Elastic, elasticOf, gatesOf, maskOf, type Subnet } from "../../models/parts/elastic.ts";
import { withinPart } from "../../models/parts/masked-pass.ts";
import { perModel } from "../../models/parts/per-model.ts";
import { withExtra } from "../parts/buffer.ts";
import { normalised, softCrossEntropies } from "../parts/distillation.ts";
import { still } from "../parts/still.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** From features to scores of prototypes. A type, not an interface, so that it is a tree of tensors. */
type Head = { readonly first: tf.Tensor2D; readonly second: tf.Tensor2D; readonly prototypes: tf.Tensor2D };
/** The teacher: running means of the model and the heads. A type, so that it is a tree of tensors. */
type Teacher = { readonly model: Params; readonly heads: { readonly [name: string]: Head } };

interface Memory {
  readonly carried: Teacher;
}

/**
 * Pretraining once for networks of many sizes: a network, a slow teacher and in every step another smaller network inside of the first learn to say the same of two views of an example,
 * without labels.
 *
 * A part has a share of `widths` of the first units of every inner layer and a number of `depths` of the first blocks; all parts but the whole come once, in random order, then again in another. With T, S and E what teacher, network and part
 * say of a view, the loss is the mean over heads and both ways of two views a and b of
 *
 * `intact · H(T(a), S(b)) + (1 − intact) · (H(T(a), E(b)) + H(S(b), E(b)))`, H(p, q) = −Σ p log q,
 *
 * where no gradient flows through what is learnt from, and `koleo` times the mean of −log of the distance to the nearest other in the batch, of the features of S and of E. Each head has a hidden layer of `units`, a vector of length 1 of `narrow` numbers and cosines to so
 * many prototypes; S and E are softmax of cosines over `temperature`, T that over `sharpness` made to use all prototypes alike in three rounds of Sinkhorn and Knopp. The teacher's tensors move by `1 − momentum` of the way to the network's.
 * It takes the place of the task's loss: labels are not looked at, the task's head is not trained. `expand.slice` takes any size out.
 *
 * Implements: P343 POA elastic pretraining
 * Zhang et al. 2024, "POA: pre-training once for models of all sizes", arXiv:2408.01031, and the authors' program, from which the weights of the losses, temperatures and heads of several sizes are.
 * Differs from the paper: neither small crops nor masked patches; parts are narrower within layers and keep the width between blocks; heads have one hidden layer; momentum and temperatures stay as they are.
 *
 * @throws TypeError for a model of which nothing can be left out; RangeError for more blocks than there are, or sizes of which none is smaller than the whole.
 *
 * @example
 * ```ts
 * import { classes, digits, elasticPretrain, mlp } from "thalweg";
 * classes(digits()).withhold("labels").learn(mlp({ hidden: [32, 32] })).by(elasticPretrain({ widths: [0.5, 1] }));
 * ```
 */
export const elasticPretrain = strategy(
  "elasticPretrain",
  {
    /** Shares of units that inner layers may have. */
    widths: [0.25, 0.5, 0.75, 1] as readonly number[],
    /** Numbers of blocks that a part may have; empty: all of them. */
    depths: [] as readonly number[],
    /** The share of the whole network in the loss; the part has the rest. */
    intact: 0.8,
    /** Prototypes of each head. */
    prototypes: [32, 64] as readonly number[],
    /** Hidden units of a head. */
    units: 64,
    /** Numbers of the vector that is compared with prototypes. */
    narrow: 16,
    /** What the students' cosines are divided by. */
    temperature: 0.1,
    /** What the teacher's cosines are divided by. */
    sharpness: 0.05,
    /** What the teacher keeps of itself at every step. */
    momentum: 0.99,
    /** Strength of what keeps features apart. */
    koleo: 0.1,
    /** Moves of an image by up to so many pixels. */
    shiftPixels: 1,
    /** The share of images that is mirrored. */
    flip: 0,
    /** Deviation of the noise that is added. */
    noise: 0.1,
    /** The share of numbers that is set to 0. */
    hide: 0.1,
  },
  (options) => {
    const { widths, depths, intact, prototypes, units, narrow, temperature, sharpness, momentum, koleo, ...views } =
      options;
    for (const share of widths) requireNumber("elasticPretrain", "a width", share, 1e-3, 1);
    for (const depth of depths) requireWhole("elasticPretrain", "a depth", depth, 1);
    for (const count of prototypes) requireWhole("elasticPretrain", "a number of prototypes", count, 2);
    if (prototypes.length === 0) throw new RangeError("elasticPretrain: at least one head is required, got none");
    requireNumber("elasticPretrain", "intact", intact, 0, 1);
    requireWhole("elasticPretrain", "units", units, 1);
    requireWhole("elasticPretrain", "narrow", narrow, 1);
    for (const [what, value] of Object.entries({ temperature, sharpness }))
      requireNumber("elasticPretrain", what, value, 1e-6);
    requireNumber("elasticPretrain", "momentum", momentum, 0, 1);
    requireNumber("elasticPretrain", "koleo", koleo, 0);
    requireViews("elasticPretrain", views);
    const of = perModel(({ model, input }: Context["network"]) => elasticOf("elasticPretrain", model, input));
    const partsOf = (elastic: Elastic): readonly Subnet[] => {
      const whole = elastic.blocks.length;
      const numbers = depths.length === 0 ? [whole] : depths;
      const all = widths.flatMap((width) =>
        numbers.map((depth) => ({ widths: elastic.sites.map(() => width), depth, width })),
      );
      return all.filter(({ width, depth }) => width < 1 || depth < whole);
    };
    return {
      tokens: "its views are of numbers, and tokens are none",
      parameters({ network, rng }: Context): Params {
        const inputs = network.width.reduce((a, b) => a * b, 1);
        return Object.fromEntries(prototypes.map((count, i) => [`head${i}`, drawn(rng.at(i), inputs, count)]));
      },
      init({ network, weights }): Memory {
        const elastic = of(network);
        const over = depths.find((depth) => depth > elastic.blocks.length);
        if (over !== undefined)
          throw new RangeError(
            `elasticPretrain: depths of at most ${elastic.blocks.length} blocks are required, got ${over}`,
          );
        if (partsOf(elastic).length === 0)
          throw new RangeError(
            `elasticPretrain: a width below 1 or a depth below ${elastic.blocks.length} is required, got ${JSON.stringify({ widths, depths })}`,
          );
        const heads = weights.added!.elasticPretrain as unknown as Teacher["heads"];
        return { carried: { model: cloneTree(weights.model), heads: cloneTree(heads) } };
      },
      batch(_: Memory, batch, { network, rng, step }) {
        const elastic = of(network);
        const parts = partsOf(elastic);
        const order = rng.at("order", Math.floor(step / parts.length)).permutation(parts.length);
        const part = parts[order[step % parts.length]!]!;
        const [mask, gates] = [maskOf(elastic, part), gatesOf(elastic, part)];
        return withExtra(batch, "elasticPretrain", {
          mask: { data: mask, shape: [mask.length] },
          gates: { data: gates, shape: [gates.length] },
        });
      },
      taskLoss({ carried }: Memory, { network, x, weights, statistics, rng, forward, extra }) {
        const own = weights.added!.elasticPretrain as unknown as Teacher["heads"];
        const inner = withinPart(of(network), extra.mask!, extra.gates!);
        const flat = (features: tf.Tensor): tf.Tensor => tf.reshape(features, [x.shape[0]!, -1]);
        const seen = ["one", "two"].map((name) => {
          const view = viewOf(x, rng === null ? null : rng.at("elasticPretrain", name), views);
          return {
            whole: flat(forward(view).features),
            part: flat(forward(view, inner).features),
            slow: flat(forward(view, { weights: { ...weights, model: carried.model }, frozen: statistics }).features),
          };
        });
        const terms = Object.keys(own).flatMap((name) => {
          const cosines = seen.map(({ whole, part, slow }) => ({
            whole: scored(whole, own[name]!),
            part: scored(part, own[name]!),
            slow: still(scored(slow, carried.heads[name]!)),
          }));
          const both = assigned(tf.concat(cosines.map(({ slow }) => slow)), sharpness);
          const wanted = tf.split(both, 2).reverse();
          return cosines.map(({ whole, part }, i) => {
            const from = (p: tf.Tensor, z: tf.Tensor): tf.Tensor =>
              tf.neg(tf.mean(tf.sum(tf.mul(p, tf.logSoftmax(tf.div(z, temperature))), -1)));
            const same = tf.mean(softCrossEntropies(part, still(whole), temperature));
            return tf.add(
              tf.mul(from(wanted[i]!, whole), intact),
              tf.mul(tf.add(from(wanted[i]!, part), same), 1 - intact),
            );
          });
        });
        const loss = tf.div(tf.addN(terms), terms.length);
        if (koleo === 0 || x.shape[0]! < 2) return loss as tf.Scalar;
        const apart = seen.flatMap(({ whole, part }) => [spread(whole), spread(part)]);
        return tf.add(loss, tf.mul(tf.div(tf.addN(apart), apart.length), koleo)) as tf.Scalar;
      },
      update({ carried }: Memory, { after }): Tree {
        const now = { model: after.model, heads: after.added!.elasticPretrain as unknown as Teacher["heads"] };
        return mapTensors(
          (slow: tf.Tensor, fast?: tf.Tensor) => tf.add(tf.mul(slow, momentum), tf.mul(fast!, 1 - momentum)),
          carried,
          now,
        ) as unknown as Tree;
      },
    };

    function drawn(rng: Rng, inputs: number, count: number): Head {
      const layer = (name: string, rows: number, columns: number): tf.Tensor2D =>
        rng.at(name).normals([rows, columns], 0, Math.sqrt(1 / rows)) as tf.Tensor2D;
      return {
        first: layer("first", inputs, units),
        second: layer("second", units, narrow),
        prototypes: layer("prototypes", count, narrow),
      };
    }
  },
);

/** *Traced.* The cosines of what a head makes of features to its prototypes. */
function scored(features: tf.Tensor, { first, second, prototypes }: Head): tf.Tensor {
  const hidden = tf.relu(tf.matMul(features as tf.Tensor2D, first)) as tf.Tensor2D;
  const vectors = normalised(tf.matMul(hidden, second)) as tf.Tensor2D;
  return tf.matMul(vectors, normalised(prototypes) as tf.Tensor2D, false, true);
}

/** *Traced.* Probabilities of each row that use all columns alike: three rounds of making columns, then rows, sum to the same. */
function assigned(scores: tf.Tensor, sharpness: number): tf.Tensor {
  let shares: tf.Tensor = tf.exp(tf.div(tf.sub(scores, tf.max(scores)), sharpness));
  for (let round = 0; round < 3; round++) {
    shares = tf.div(shares, tf.add(tf.sum(shares, 0, true), 1e-12));
    shares = tf.div(shares, tf.add(tf.sum(shares, 1, true), 1e-12));
  }
  return shares;
}

/** *Traced.* The mean of −log of the distance of each row, of length 1, to its nearest other. */
function spread(features: tf.Tensor): tf.Tensor {
  const unit = normalised(features) as tf.Tensor2D;
  const near = tf.sub(tf.matMul(unit, unit, false, true), tf.mul(tf.eye(unit.shape[0]), 3));
  // the squared distance of vectors of length 1 is 2 − 2 cos
  const distance = tf.sqrt(tf.add(tf.mul(tf.sub(1, tf.max(near, 1)), 2), 1e-6));
  return tf.neg(tf.mean(tf.log(distance)));
}
