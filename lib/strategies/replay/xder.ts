import { select } from "../../data/dataset.ts";
import { scoped, tf } from "../../engine/index.ts";
import { asTable, type Buffer, draw as drawn, emptyBuffer, recall, withExtra, withRows } from "../parts/buffer.ts";
import { oneHots } from "../parts/contrast.ts";
import { offerTable } from "../parts/episodes.ts";
import { dropped, moved } from "../parts/forgetting.ts";
import { type Ages, agesOf, contrastWithin, implanted, largest, meanExcess } from "../parts/prepared.ts";
import {
  emptyRecords,
  movedRecords,
  placesInput,
  type Records,
  read,
  widenedRecords,
  written,
} from "../parts/recorded.ts";
import { between, currentRows, joinedRows } from "../parts/rows.ts";
import { still } from "../parts/still.ts";
import { type Context, requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

interface Memory {
  readonly buffer: Buffer | null;
  /** How often the example of each place was drawn in this experience. */
  readonly draws: Int32Array;
  readonly tensors: Ages | undefined;
  readonly carried: Records;
}

/**
 * X-DER: dark experience replay whose remembered logits learn of later classes, and whose columns of classes to come are made ready.
 *
 * The loss is the sum of: the cross-entropy of the batch over the experience's own columns; `alpha · mean (h(x') − z')²` over drawn
 * examples; `beta · CE` of a second draw over the columns met before; `lambda ·` the supervised contrastive loss of the logits within each
 * group of columns to come; and `eta ·` the mean excess, where there is one, of the largest probability of past columns + `margin` over
 * that of the present ones, and of the largest logit of future columns + `margin` over that of the example's own task. The memory is
 * balanced over classes and filled when an experience ends. Then, and whenever an example is drawn (the n-th time with probability 1/n),
 * its remembered logits of columns that are newer than it are replaced by those of now, shrunk below `gamma` times the logit of its label.
 *
 * The default strengths are those of its runs on CIFAR-100; small networks want `alpha` and `eta` near 1 (five pairs of the digits, five
 * passes each: 85 % in place of 73).
 *
 * Boschini et al. 2022, arXiv:2201.00766, sections 4.1–4.3.
 * Differs from the paper: examples are not augmented, so that in the contrastive loss only other examples of a class are its like; logits
 * are read in evaluation mode when an experience ends; columns to come are grouped without knowing which come together.
 *
 * @example
 * ```ts
 * import { xder } from "thalweg";
 * xder({ capacity: 500, alpha: 0.3, beta: 0.9 });
 * ```
 */
export const xder = strategy(
  "xder",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each of two draws; 0 draws as many as the batch has. */
    draw: 0,
    /** Strength of the distance between logits. */
    alpha: 0.3,
    /** Strength of the cross-entropy of remembered examples. */
    beta: 0.9,
    /** Share of the label's logit that newer columns may have. */
    gamma: 0.85,
    /** Strength of the contrastive loss on columns to come, and what its similarities are divided by. */
    lambda: 0.05,
    temperature: 5,
    /** Strength of the bounds on past and future columns, and their margin. */
    eta: 0.1,
    margin: 0.3,
  },
  ({ capacity, draw, alpha, beta, gamma, lambda, temperature, eta, margin }) => {
    requireWhole("xder", "capacity", capacity, 1);
    requireWhole("xder", "draw", draw, 0);
    for (const [what, value] of Object.entries({ alpha, beta, lambda, eta, margin }))
      requireNumber("xder", what, value, 0);
    requireNumber("xder", "gamma", gamma, 0, 1);
    requireNumber("xder", "temperature", temperature, 1e-6);

    /** What the network says of remembered examples now, in the columns where they have nothing older. */
    const renewed = ({ buffer, carried }: Memory, columns: tf.Tensor, context: Context): Records => {
      if (buffer === null || buffer.size === 0) return carried;
      const { logits } = context.outputs(asTable(buffer));
      return scoped(() => {
        const now = tf.pad(tf.tensor2d(logits, [buffer.size, context.columns]), [
          [0, capacity - buffer.size],
          [0, 0],
        ]);
        const labels = oneHots(tf.tensor1d(buffer.labels, "int32"), context.columns);
        return { values: implanted(carried.values, now, columns, labels, gamma) };
      });
    };

    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: ({ columns }): Memory => ({
        buffer: null,
        draws: new Int32Array(capacity),
        tensors: undefined,
        carried: emptyRecords(capacity, columns),
      }),
      beforeExperience(memory: Memory, { classes }, context): Memory {
        const had = memory.carried.values.shape[1]!;
        const carried = widenedRecords(memory.carried, context.columns);
        const grown = tf.tensor2d(
          Float32Array.from({ length: context.columns }, (_, c) => +(c >= had)),
          [1, context.columns],
        );
        const filled = had === context.columns ? carried : renewed({ ...memory, carried }, grown, context);
        if (filled !== carried && carried !== memory.carried) carried.values.dispose();
        grown.dispose();
        return {
          buffer: memory.buffer,
          draws: new Int32Array(capacity),
          tensors: agesOf(classes, context),
          carried: filled,
        };
      },
      batch({ buffer, draws }: Memory, batch, { rng, step, stream, columns }) {
        if (buffer === null || buffer.size === 0) return batch;
        const count = draw || batch.current;
        const places = ["logits", "labels"].map((which) => drawn(buffer, count, rng.at(which, step)));
        const luck = rng.at("renewal", step);
        const done = new Set<number>();
        const renewing = places.map((some) =>
          Int32Array.from(some, (place) => {
            if (done.has(place)) return -1;
            done.add(place);
            return luck.uniform() * ++draws[place]! < 1 ? place : -1;
          }),
        );
        const own = new Float32Array(2 * places[0]!.length * columns);
        places
          .flatMap((some) => [...some])
          .forEach((place, row) => {
            for (const column of stream.classesOf(buffer.tasks[place]!)) own[row * columns + column] = 1;
          });
        const joined = places.reduce(
          (more, some, i) =>
            withRows(more, recall(buffer, some), { name: i === 0 ? "xder logits" : "xder labels", weight: 0 }),
          batch,
        );
        return withExtra(joined, "xder", {
          drawn: placesInput(places[0]!, capacity),
          both: placesInput(
            places.flatMap((some) => [...some]),
            capacity,
          ),
          renewing: placesInput(
            renewing.flatMap((some) => [...some]),
            capacity,
          ),
          own: { data: own, shape: [2 * places[0]!.length, columns] },
        });
      },
      taskLoss({ tensors }, step) {
        const { logits, y, mask, weight, current } = step;
        if (tensors === undefined) return step.crossEntropy(logits, y, mask, weight);
        const [rows, columns] = logits.shape as [number, number];
        const ours = tf.tile(tensors.present, [current, 1]);
        const open = mask === null ? tf.ones([rows, columns]) : tf.add(mask, tf.zeros([rows, columns]));
        const others = between(open, current, rows);
        return step.crossEntropy(logits, y, rows === current ? ours : tf.concat([ours, others]), weight);
      },
      loss({ tensors, carried }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { met, past, present, future } = tensors;
        const [first, second] = [joinedRows(step, "xder logits"), joinedRows(step, "xder labels")];
        const terms: tf.Tensor[] = [];
        if (first !== null && second !== null) {
          const apart = tf.squaredDifference(first.logits, read(carried, step.extra.drawn!));
          terms.push(tf.mul(tf.mean(apart), alpha), tf.mul(step.crossEntropy(second.logits, second.y, met), beta));
          // Probabilities of past columns are bounds that do not move: the present ones are to rise above them.
          const { logits } = currentRows(step);
          const open = tf.add(past, present);
          const shut = tf.mul(tf.sub(1, open), 1e9);
          const probabilities = tf.softmax(tf.sub(logits, shut));
          const bound = largest(still(probabilities), past);
          terms.push(tf.mul(meanExcess(tf.sub(tf.add(bound, margin), largest(probabilities, present))), eta));
        }
        if (future !== undefined) {
          const { logits, y, own } = preparedRows(step, present);
          const toCome = tf.max(future, 0, true);
          terms.push(tf.mul(contrastWithin(logits, y, future, temperature), lambda));
          terms.push(tf.mul(meanExcess(tf.sub(tf.add(largest(logits, toCome), margin), largest(logits, own))), eta));
        }
        return terms.length === 0 ? tf.scalar(0) : (tf.addN(terms.map((t) => tf.reshape(t, []))) as tf.Scalar);
      },
      update({ tensors, carried }, _change, step) {
        const [first, second] = [joinedRows(step, "xder logits"), joinedRows(step, "xder labels")];
        if (first === null || second === null || tensors === undefined) return carried;
        const now = tf.concat([first.logits, second.logits]);
        const labels = oneHots(tf.concat([first.y, second.y]), now.shape[1]!);
        const newer = tf.mul(tf.sub(1, tensors.met), tf.onesLike(labels));
        const values = implanted(read(carried, step.extra.both!), now, newer, labels, gamma);
        return written(carried, step.extra.renewing!, values);
      },
      afterExperience(memory: Memory, { train, task, index, classes }, context): Memory {
        if (train.length === 0) return memory;
        const buffer = memory.buffer ?? emptyBuffer(capacity, train);
        const { columns, rng } = context;
        const ages = agesOf(classes, context);
        const newer = tf.tidy(() => tf.sub(1, ages.met));
        const older = renewed({ ...memory, buffer }, newer, context);
        const places = offerTable(buffer, train, task, "classBalanced", rng.at("keep", index));
        const kept = Uint32Array.from([...places.keys()].filter((row) => places[row]! >= 0));
        const said = context.outputs(select(train, kept)).logits;
        const carried = scoped(() => {
          const own = tf.tensor2d(said, [kept.length, columns]);
          const labels = oneHots(
            tf.tensor1d(
              Int32Array.from(kept, (row) => train.labels[row]!),
              "int32",
            ),
            columns,
          );
          const at = tf.tensor1d(
            Int32Array.from(kept, (row) => places[row]!),
            "int32",
          );
          return written(older, at, implanted(own, own, ages.past, labels, gamma));
        });
        for (const tensor of [newer, ...Object.values(ages)]) tensor.dispose();
        if (older !== memory.carried) older.values.dispose();
        return { ...memory, buffer, carried };
      },
      forget(memory: Memory, columns): Memory {
        if (memory.buffer === null) return memory;
        const stay = dropped(memory.buffer, columns);
        moved(memory.draws, 1, stay);
        return { ...memory, carried: movedRecords(memory.carried, stay) };
      },
    };
  },
  ["boundary", "labels"],
);

/** The rows of the batch and those drawn, with the columns of each one's own task. */
function preparedRows(step: Step, present: tf.Tensor): { logits: tf.Tensor; y: tf.Tensor; own: tf.Tensor } {
  const parts = [currentRows(step), joinedRows(step, "xder logits"), joinedRows(step, "xder labels")];
  const there = parts.filter((part) => part !== null);
  const ours = tf.tile(present, [step.current, 1]);
  return {
    logits: tf.concat(there.map((part) => part.logits)),
    y: tf.concat(there.map((part) => part.y)),
    own: step.extra.own === undefined ? ours : tf.concat([ours, step.extra.own]),
  };
}
