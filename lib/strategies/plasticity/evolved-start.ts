import { select } from "../../data/dataset.ts";
import { needWhole } from "../../data/options.ts";
import { leaves, mapTensors, paths, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { differentialEvolution } from "../../optim/parts/differential-evolution.ts";
import { type Context, requireNumber, strategy } from "../strategy.ts";

/**
 * Searches for the weights that training begins with by differential evolution: before the first experience a population of networks as they are drawn evolves
 * towards a small loss on some of its examples, and gradients go on from the best.
 *
 * A child takes the place of the network it was made of where its loss is not larger; every few generations the population is divided into clusters, and the best of
 * the cluster with the least mean loss gives more (`differentialEvolution` of the optimizers has the steps). The loss is the mean cross-entropy in evaluation mode. Of frozen
 * parts nothing is changed. It asks for `population · (generations + 1)` passes over the examples, and two or more for each look at clusters.
 *
 * Implements: P304 BERT-LSTM plagiarism with DE init
 * Moravvej et al., "A novel plagiarism detection approach combining BERT-based word embedding, attention-based LSTMs and an improved differential evolution algorithm",
 * its search for initial weights; its loss is `focal`, its network any with words as vectors and `lstm` or `attention`. The mutation by clusters:
 * Mousavirad et al. 2021, arXiv:2109.09351.
 * Written from the abstracts: as many new vectors are made as there are clusters, clusters are looked at every `period` generations, the fitness is the cross-entropy,
 * and the population begins with networks as the model draws them.
 *
 * @throws RangeError for a population below 5, of which a mutant needs four different ones.
 *
 * @example
 * ```ts
 * import { blobs, classes, evolvedStart, focal, mlp } from "thalweg";
 * classes(blobs({ classes: 2 })).learn(mlp({ hidden: [8] })).by(evolvedStart({ population: 8, generations: 10 }), focal());
 * ```
 */
export const evolvedStart = strategy(
  "evolvedStart",
  {
    /** Networks that evolve, at least 5. */
    population: 20,
    /** Rounds in which each of them may be replaced. */
    generations: 30,
    /** What a difference of two networks is multiplied by. */
    scale: 0.5,
    /** The chance of each number of a child to be a new one. */
    crossover: 0.9,
    /** In how many generations clusters are looked at once; 0 never. */
    period: 5,
    /** Examples that losses are measured on, at most. */
    samples: 256,
  },
  ({ population, generations, scale, crossover, period, samples }) => {
    needWhole("evolvedStart", "population", population, 5);
    needWhole("evolvedStart", "generations", generations, 0);
    needWhole("evolvedStart", "period", period, 0);
    needWhole("evolvedStart", "samples", samples);
    requireNumber("evolvedStart", "scale", scale, 0);
    requireNumber("evolvedStart", "crossover", crossover, 0, 1);
    return {
      tokens: "it reads the loss of one class of each example",
      classes: true,
      beforeExperience(_state: object, { index, train, task }, context): { weights?: Weights; notes?: string[] } {
        if (index > 0 || train.length === 0) return {};
        const { network, weights, columns, rng } = context;
        const step = Math.max(1, Math.floor(train.length / samples));
        const count = Math.min(samples, train.length);
        const some = select(
          train,
          Uint32Array.from({ length: count }, (_, i) => i * step),
        );
        const open = openColumns(context, task);
        const own = vectorOf(weights, network.frozen);
        const first = Array.from({ length: population }, (_, i) => {
          if (i === 0) return own;
          return tf.tidy(() => vectorOf(network.init(rng.at("first", i), columns), network.frozen));
        });
        const lossOf = (at: Float32Array): number =>
          tf.tidy(() => {
            const { logits } = context.outputs(some, withVector(weights, at, network.frozen));
            return crossEntropy(logits, some.labels, columns, open);
          });
        const evolved = differentialEvolution(
          first,
          lossOf,
          { generations, scale, crossover, period },
          rng.at("evolve"),
        );
        const best = evolved[0]!;
        return {
          weights: tf.tidy(() => withVector(weights, best.at, network.frozen, true)),
          notes: [`evolvedStart: a loss of ${best.loss.toFixed(4)} before the first step`],
        };
      },
    };
  },
);

type Frozen = ((path: string) => boolean) | null;

/** Which columns compete for the examples of a task; null where all do. */
function openColumns(context: Context, task: number): readonly number[] | null {
  const mask = context.mask(Int32Array.of(task));
  return mask === null ? null : Array.from(mask.data.subarray(0, context.columns));
}

/** Whether each tensor of a network evolves, in the order of its leaves. */
function evolves(weights: Weights, frozen: Frozen): readonly boolean[] {
  const { model, head } = weights;
  return paths({ model, head } as unknown as Tree).map(([path]) => frozen?.(path) !== true);
}

/** The numbers that evolve, one after the other. */
function vectorOf(weights: Weights, frozen: Frozen): Float32Array {
  const free = evolves(weights, frozen);
  const { model, head } = weights;
  const data = leaves({ model, head }).flatMap((tensor, i) => (free[i] ? [tensor.dataSync() as Float32Array] : []));
  const all = new Float32Array(data.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of data) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Weights with these numbers where they evolve; the others as they are, or copies of them. */
function withVector(weights: Weights, vector: Float32Array, frozen: Frozen, copies = false): Weights {
  const free = evolves(weights, frozen);
  const { model, head, ...rest } = weights;
  let [leaf, at] = [0, 0];
  const made = mapTensors(
    (tensor) => {
      if (!free[leaf++]) return copies ? tf.clone(tensor) : tensor;
      at += tensor.size;
      return tf.tensor(vector.slice(at - tensor.size, at), tensor.shape);
    },
    { model, head },
  );
  return { ...rest, ...made };
}

/** The mean cross-entropy of rows of logits with a label, over the columns that compete. */
function crossEntropy(
  logits: Float32Array,
  labels: Int32Array,
  columns: number,
  open: readonly number[] | null,
): number {
  let [sum, count] = [0, 0];
  for (const [i, label] of labels.entries()) {
    if (label < 0) continue;
    const row = logits.subarray(i * columns, (i + 1) * columns).filter((_, k) => open === null || open[k] === 1);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    sum += most + Math.log(row.reduce((all, value) => all + Math.exp(value - most), 0)) - logits[i * columns + label]!;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
