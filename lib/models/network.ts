/** A model with the head that a stream's scenario asks for: what is trained. */
import type { Shape } from "../data/dataset.ts";
import { disposeTree, nn, type Rng, tf } from "../engine/index.ts";
import { frozenAt } from "./frozen.ts";
import { type HeadLayer, linear } from "./heads/linear.ts";
import type { Mode, ModelParts, Params, Tap } from "./model.ts";
import { kindOf, type ParameterKind } from "./parameters.ts";

/** The trained tensors of a network: those of the model, those of its head, and those that strategies train beside them, by name. */
export type Weights = { readonly model: Params; readonly head: Params; readonly added?: Params };

/** A model and its head over examples of one shape. */
export interface Network {
  readonly model: ModelParts;
  readonly head: HeadLayer;
  readonly input: Shape;
  /** The shape of the features; of a model that gives them at each place of a sequence, its length and theirs. */
  readonly width: Shape;
  /** Whether the tensor at a path of the weights ("model/1-dense/kernel") is not trained; null where all are. */
  readonly frozen: ((path: string) => boolean) | null;
  /** What the tensor at a path of the weights is for. */
  kindOf(path: string): ParameterKind;
  init(rng: Rng, columns: number): Weights;
  statistics(): Params;
  /** Features of a batch. */
  features(weights: Weights, x: tf.Tensor, mode: Mode): tf.Tensor;
  /** Logits of all columns from features; a tap finds the head at `["head"]`. */
  logits(weights: Weights, features: tf.Tensor, tap?: Tap): tf.Tensor;
  /** The same weights with a head of more columns; the caller frees what it replaces. */
  grow(weights: Weights, rng: Rng, columns: number): Weights;
}

/** Puts a head on a model for examples of the given shape; throws before any training when they do not fit. */
export function network(model: ModelParts, input: Shape, head: HeadLayer = model.head ?? linear()): Network {
  const width = model.features(input);
  let frozen: Network["frozen"] | undefined;
  return {
    model,
    head,
    input,
    width,
    get frozen() {
      if (frozen === undefined) frozen = frozenAt(model, input);
      return frozen;
    },
    kindOf: (path) => kindOf(model, path),
    init: (rng, columns) => ({
      model: model.init(rng.at("model"), input),
      head: begun(model, head, rng.at("head"), columns) ?? head.init(rng.at("head"), widthOf(width), columns),
    }),
    statistics: () => model.statistics(input),
    features: (weights, x, mode) => model.apply(weights.model, x, mode),
    logits(weights, features, tap) {
      const logits = head.apply(weights.head, features, weights.model);
      return tap === undefined ? logits : tap(["head"], features, logits, () => features);
    },
    grow: (weights, rng, columns) => ({ ...weights, head: head.grow(weights.head, rng.at("head"), columns) }),
  };
}

/** The shape of what a head gets for each example, or at each place of a sequence. */
function widthOf(width: Shape): Shape {
  return width.length === 2 ? width.slice(1) : width;
}

/** The trained head that a model brings, with as many columns as are asked for: those it lacks are drawn. */
function begun({ start }: ModelParts, head: HeadLayer, rng: Rng, columns: number): Params | undefined {
  if (start === undefined) return undefined;
  const { head: kept, columns: had } = start();
  if (columns === had) return kept;
  try {
    if (columns < had)
      throw new RangeError(
        `from: a stream with at least the ${had} classes of the kept head is required, got ${columns}; take { head: "new" }`,
      );
    return head.grow(kept, rng, columns);
  } finally {
    disposeTree(kept);
  }
}

/** What is added to the logit of a column that does not compete: it gets no probability and no gradient. */
export const excluded = -1e9;

/** Logits in which the columns with 0 in the mask (`[n, columns]` or `[1, columns]`) do not compete; null lets all compete. */
export function masked(logits: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  return mask === null ? logits : tf.add(logits, tf.mul(tf.sub(1, mask), excluded));
}

/** The cross-entropy of each example: `[n, columns]` logits and `[n]` labels to `[n]`. */
export const crossEntropies = nn.crossEntropies;
