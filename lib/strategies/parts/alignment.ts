/** A classifier aligned after training: fitted anew to examples drawn from the Gaussian of each class's features. */
import { disposeTree, jit, type Rng, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { cholesky } from "../../engine/linear-algebra.ts";
import type { Params } from "../../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../../models/network.ts";

/** The features of a class as a Gaussian, `L Lᵀ` being its covariance, and the experience in which it came. */
export interface ClassGaussian {
  readonly experience: number;
  readonly mean: Float64Array;
  readonly factor: Float64Array;
}

/** How a classifier is aligned. */
export interface AlignmentOptions {
  /** Rounds over as many drawn examples as there are classes, times `perClass`. */
  readonly rounds: number;
  readonly perClass: number;
  readonly rate: number;
  readonly decay: number;
  /** Logits are divided by the mean of the lengths of each experience's own, times this; 0 leaves them as they are. */
  readonly temperature: number;
  /** The share of a mean that all classes keep; the rest grows with the experience of the class to 1. */
  readonly keeps: number;
}

/** The Gaussians of the classes of a table's features, `ridge` added to the diagonal of the covariances. */
export function gaussiansOf(
  features: Float32Array,
  labels: Int32Array,
  experience: number,
  ridge = 1e-4,
): Map<number, ClassGaussian> {
  const width = features.length / Math.max(1, labels.length);
  return new Map(
    [...new Set(labels)].map((label): [number, ClassGaussian] => {
      const own = [...labels.keys()].filter((i) => labels[i] === label);
      const mean = new Float64Array(width);
      for (const i of own) for (let j = 0; j < width; j++) mean[j]! += features[i * width + j]! / own.length;
      const covariance = new Float64Array(width * width);
      for (const i of own)
        for (let j = 0; j < width; j++) {
          const apart = features[i * width + j]! - mean[j]!;
          for (let k = 0; k <= j; k++)
            covariance[j * width + k]! += (apart * (features[i * width + k]! - mean[k]!)) / Math.max(1, own.length - 1);
        }
      for (let j = 0; j < width; j++) {
        covariance[j * width + j]! += ridge;
        for (let k = 0; k < j; k++) covariance[k * width + j] = covariance[j * width + k]!;
      }
      return [label, { experience, mean, factor: cholesky(covariance, width) }];
    }),
  );
}

type Round = { readonly head: Params; readonly speed: Params };

/**
 * The head after descent with momentum 0.9 and a cosine schedule on the cross-entropy of drawn features among the classes that have a
 * Gaussian. The tensors are new.
 */
export function alignedHead(
  network: Network,
  weights: Weights,
  classes: ReadonlyMap<number, ClassGaussian>,
  columns: number,
  { rounds, perClass, rate, decay, temperature, keeps }: AlignmentOptions,
  rng: Rng,
): Params {
  const last = Math.max(...[...classes.values()].map(({ experience }) => experience));
  const groups = scoped(() => groupsOf(classes, columns));
  const step = jit(
    (now: Round, frozen: Params, x: tf.Tensor, y: tf.Tensor, own: tf.Tensor, at: tf.Tensor): Round => {
      const { grads } = valueAndGrad((head: Params) => {
        const logits = network.logits({ model: frozen, head }, x);
        const open = tf.sum(own, 0, true);
        return tf.mean(crossEntropies(masked(evened(logits, own, temperature), open), y));
      }, now.head);
      const speed = mapped(
        (v, g, w) => tf.add(tf.mul(v, 0.9), tf.add(g, tf.mul(w, decay))),
        now.speed,
        grads,
        now.head,
      );
      return { head: mapped((w, v) => tf.sub(w, tf.mul(v, at)), now.head, speed), speed };
    },
    { name: "alignment" },
  );
  let now: Round = scoped(() => ({
    head: mapped((w) => w.clone(), weights.head),
    speed: mapped((w) => tf.zerosLike(w), weights.head),
  }));
  for (let round = 0; round < rounds; round++) {
    const at = tf.scalar((rate * (1 + Math.cos((Math.PI * round) / rounds))) / 2);
    const drawn = draws(classes, perClass, keeps, last, rng.at("round", round));
    for (const { x, y } of drawn) {
      const next = step(now, weights.model, x, y, groups, at);
      disposeTree(now as Tree);
      now = next;
    }
    disposeTree([at, ...drawn.flatMap(({ x, y }) => [x, y])]);
  }
  disposeTree([groups, now.speed] as Tree);
  return now.head;
}

function mapped(fn: (...leaves: tf.Tensor[]) => tf.Tensor, first: Params, ...more: Params[]): Params {
  return Object.fromEntries(
    Object.entries(first).map(([name, leaf]) => {
      const others = more.map((tree) => tree[name]!);
      return [
        name,
        "dataId" in leaf
          ? fn(leaf as tf.Tensor, ...(others as tf.Tensor[]))
          : mapped(fn, leaf as Params, ...(others as Params[])),
      ];
    }),
  );
}

/** `[experiences, columns]`: 1 where a column came with an experience, of those that have any. */
function groupsOf(classes: ReadonlyMap<number, ClassGaussian>, columns: number): tf.Tensor {
  const experiences = [...new Set([...classes.values()].map(({ experience }) => experience))].sort((a, b) => a - b);
  const data = new Float32Array(experiences.length * columns);
  for (const [label, { experience }] of classes) data[experiences.indexOf(experience) * columns + label] = 1;
  return tf.tensor2d(data, [experiences.length, columns]);
}

/** *Traced.* Logits divided by the mean over experiences of the lengths of their own, times the temperature. */
export function evened(logits: tf.Tensor, groups: tf.Tensor, temperature: number): tf.Tensor {
  if (temperature === 0) return logits;
  const squares = tf.matMul(tf.square(logits) as tf.Tensor2D, groups as tf.Tensor2D, false, true);
  const lengths = tf.add(tf.sqrt(tf.add(squares, 1e-14)), 1e-7);
  return tf.div(tf.div(logits, tf.mean(lengths, 1, true)), temperature);
}

/** As many batches as there are classes, of `perClass` examples drawn from all of them and mixed. */
function draws(
  classes: ReadonlyMap<number, ClassGaussian>,
  perClass: number,
  keeps: number,
  last: number,
  rng: Rng,
): { readonly x: tf.Tensor; readonly y: tf.Tensor }[] {
  return scoped(() => {
    const order = rng.at("order").permutation(classes.size * perClass);
    const rows = [...classes].map(([label, { experience, mean, factor }]) => {
      const width = mean.length;
      const whole = keeps + ((1 - keeps) * (experience + 1)) / (last + 1);
      const noise = rng.at("class", label).normals([perClass, width]) as tf.Tensor2D;
      const lower = tf.tensor2d(Float32Array.from(factor), [width, width]);
      const center = tf.tensor1d(Float32Array.from(mean, (v) => v * whole));
      return tf.add(tf.matMul(noise, lower, false, true), center);
    });
    const labels = [...classes.keys()].flatMap((label) => new Array<number>(perClass).fill(label));
    const all = tf.concat(rows, 0);
    return [...classes.keys()].map((_, batch) => {
      const at = order.slice(batch * perClass, (batch + 1) * perClass);
      return {
        x: tf.gather(all, tf.tensor1d(Int32Array.from(at), "int32")),
        y: tf.tensor1d(
          Int32Array.from(at, (i) => labels[i]!),
          "int32",
        ),
      };
    });
  });
}
