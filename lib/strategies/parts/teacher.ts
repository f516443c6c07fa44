/** A trained network that teaches another and stays as it is. */
import type { Examples } from "../../data/dataset.ts";
import { type Tree, tf } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { numbersOf } from "../../models/parts/entry.ts";
import { tensorTree } from "../../models/parts/host.ts";
import { unpackedNetwork } from "../../models/parts/packed.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import type { Context } from "../strategy.ts";

/** What a teacher is made of. A type, not an interface, so that it is a tree of tensors. */
export type TeacherTensors = {
  readonly weights: Weights;
  readonly statistics?: Params;
  readonly states?: { readonly [strategy: string]: Tree };
  /** `[1, columns]`: 1 where the teacher has learnt the column. */
  readonly open: tf.Tensor;
};

/** A teacher whose tensors are made anew for each run: the network that was given may be freed. */
export interface Teacher {
  tensors(context: Context): TeacherTensors;
  /** *Traced.* Its logits of all its columns, in evaluation mode and without a gradient. */
  logits(tensors: TeacherTensors, x: tf.Tensor): tf.Tensor;
  /** *Traced.* What its head gets, the same way; `within` may look into its layers. */
  features(tensors: TeacherTensors, x: tf.Tensor, within?: Within): tf.Tensor;
}

/** A trained network as a teacher. */
export function teacherOf(where: string, network: TrainedNetwork): Teacher {
  const { structure, parts, classes, input } = network;
  const { predicting } = parts;
  if (parts.told === true && predicting !== undefined)
    throw new TypeError(`${where}: a teacher that need not be told the task is required, got one that must`);
  const { numbers } = numbersOf(network);
  const open = parts.scenario === "growing" ? network.columns() : classes.map((_, c) => c);
  return {
    tensors({ stream, columns, network: own }) {
      if (String(own.input) !== String(input))
        throw new RangeError(
          `${where}: a teacher for examples of shape [${own.input}] is required, got one for [${input}]`,
        );
      const other = stream.classes.findIndex((name, c) => c < classes.length && name !== classes[c]);
      if (other >= 0)
        throw new TypeError(
          `${where}: a teacher of the stream's classes is required, got one whose column ${other} is "${classes[other]}" and not "${stream.classes[other]}"`,
        );
      if (stream.head !== "growing" && columns < Math.max(...open) + 1)
        throw new RangeError(
          `${where}: a teacher of at most ${columns} classes is required, got one of ${Math.max(...open) + 1}`,
        );
      const row = Float32Array.from(classes, (_, c) => (open.includes(c) ? 1 : 0));
      return { ...tensorTree<Omit<TeacherTensors, "open">>(numbers), open: tf.tensor2d(row, [1, row.length]) };
    },
    features: ({ weights, statistics = {} }, x, within) =>
      structure.features(weights, x, tape(false, null, statistics, within).mode),
    logits({ weights, statistics = {}, states = {} }, x) {
      if (predicting !== undefined) return predicting.predict(weights, statistics, states, x, null);
      return structure.logits(weights, structure.features(weights, x, tape(false, null, statistics).mode));
    },
  };
}

/** *Traced.* The first columns of rows or places. */
export function firstColumns(tensor: tf.Tensor, count: number): tf.Tensor {
  if (tensor.shape.at(-1) === count) return tensor;
  return tf.slice(
    tensor,
    tensor.shape.map(() => 0),
    [...tensor.shape.slice(0, -1), count],
  );
}

/** What a trained network gives for the examples of a table, read on the host; the network that was given may be freed. */
export interface Reading {
  /** Row after row: what the head gets. */
  readonly features: Float32Array;
  /** Row after row, one for each of `columns`. */
  readonly logits: Float32Array;
  /** The output column of each logit. */
  readonly columns: readonly number[];
}

/** Reads a table with a trained network. */
export function readingOf(network: TrainedNetwork, examples: Examples): Reading {
  const { model, parts } = network;
  const own = unpackedNetwork(numbersOf(network), model, parts.predicting);
  try {
    const [features, logits] = [own.features(examples), own.predict(examples)];
    const read = { features: features.dataSync(), logits: logits.dataSync() };
    features.dispose();
    logits.dispose();
    return { ...(read as Pick<Reading, "features" | "logits">), columns: own.columns() };
  } finally {
    own.dispose();
  }
}
