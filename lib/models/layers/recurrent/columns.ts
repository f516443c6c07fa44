import { tf, withoutGradient } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { still } from "../../parts/gradients.ts";
import {
  atRest,
  inRealTime,
  momentStatistics,
  readMoment,
  type UnitwiseCell,
  type UnitwiseParams,
  unitwiseParams,
  writeMoment,
} from "../../parts/real-time.ts";

/** Options of `columns`. */
export interface ColumnsOptions {
  /** Into how many stages the columns are divided; those of a stage also read what the stages before give. Default 1. */
  readonly stages?: number;
  /** Batches in training after which the next stage begins. Before, its columns give 0; after its time they stay as they are. Needed for several stages. */
  readonly every?: number;
}

/**
 * Recurrent columns that learn in real time: each is a small long short-term memory of one unit, which meets its own state alone, so that its exact gradient goes
 * forward with it.
 *
 * Sequences `[length, inputs]` become `[length, count]`, each from rest. **Vectors are moments of one stream**: the rows of a batch in their order, and batch after batch, in
 * batches of 1 an update at every moment; where the stream is, and how that depends on the weights, are the layer's running statistics.
 *
 * With `stages` the network is built in time: columns of a stage learn alone, with what earlier ones give as further inputs. Frozen columns have a gradient of 0: an
 * optimizer with momentum still moves them a little.
 *
 * Implements: P196 Columnar-Constructive RTRL
 * Javed, Shah, Sutton and White 2023, "Scalable real-time recurrent learning using columnar-constructive networks", arXiv:2302.05326: one stage is a columnar network, a
 * column in each is a constructive one. Written from the abstract and from the authors' earlier program.
 * Differs from the paper: what columns give is not normalised by its running mean and deviation; put `batchNorm` behind it.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().columns(20).features([6]); // [20], of the moments of a stream
 * net().columns(20, { stages: 4, every: 1000 }).features([6]); // [20]
 * ```
 */
export const columns = sameLayer(
  "columns",
  (count: number, { stages = 1, every = 0 }: ColumnsOptions = {}) => {
    requireCount("columns", "count", count);
    requireCount("columns", "stages", stages);
    requireCount("columns", "every", every, stages > 1 ? 1 : 0);
    if (count % stages !== 0)
      throw new RangeError(`columns: a count that ${stages} stages divide is required, got ${count}`);
    const own = count / stages;
    const names = Array.from({ length: stages }, (_, i) => `stage${i + 1}`);
    const inputsOf = (input: readonly number[], stage: number): number => input.at(-1)! + stage * own;
    /** Whether a stage has begun, and whether it learns, at the number of batches before this one. */
    const timeOf = (seen: tf.Tensor, stage: number): { readonly begun: tf.Tensor; readonly learns: tf.Tensor } => {
      const now = tf.minimum(tf.floor(tf.div(seen, every)), stages - 1);
      return {
        begun: tf.cast(tf.greaterEqual(now, stage), "float32"),
        learns: tf.cast(tf.equal(now, stage), "float32"),
      };
    };
    const ofStage = (x: tf.Tensor, params: UnitwiseParams, mode: Mode, isStream: boolean): tf.Tensor => {
      const from = isStream
        ? readMoment(cell, mode)
        : { states: atRest(cell, x.shape[0]!, x.shape[2]!, own).states, slopes: null };
      const { y, last } = inRealTime(cell, x, params, from);
      if (isStream && mode.training) writeMoment(last, mode);
      return y;
    };
    return {
      options: { count, ...(stages > 1 && { stages, every }) },
      shape(input) {
        if (input.length > 2)
          throw new RangeError(
            `columns: vectors of one stream, or a sequence of them, are required, got shape [${input}]`,
          );
        return [...input.slice(0, -1), count];
      },
      init: (rng, input): Params =>
        Object.fromEntries(names.map((name, i) => [name, unitwiseParams(rng.at(name), cell, inputsOf(input, i), own)])),
      statistics: (input): Params => ({
        ...(input.length === 1 &&
          Object.fromEntries(names.map((name, i) => [name, momentStatistics(cell, inputsOf(input, i), own)]))),
        ...(stages > 1 && { seen: tf.zeros([]) }),
      }),
      apply(x, params, mode) {
        const isStream = x.rank === 2;
        const given = isStream ? tf.expandDims(x, 0) : x;
        if (stages === 1)
          return tf.reshape(ofStage(given, params.stage1 as unknown as UnitwiseParams, mode.at("stage1"), isStream), [
            ...x.shape.slice(0, -1),
            count,
          ]);
        const seen = mode.read("seen");
        const outs: tf.Tensor[] = [];
        for (const [stage, name] of names.entries()) {
          const all = tf.concat([given, ...outs.map(still)], 2);
          const { begun, learns } = withoutGradient(() => timeOf(seen, stage));
          const y = ofStage(all, params[name] as unknown as UnitwiseParams, mode.at(name), isStream);
          outs.push(tf.mul(tf.add(tf.mul(y, learns), tf.mul(still(y), tf.sub(1, learns))), begun));
        }
        if (mode.training) mode.write("seen", tf.add(seen, 1));
        return tf.reshape(tf.concat(outs, 2), [...x.shape.slice(0, -1), count]);
      },
    };
  },
  ["vector", "sequence"],
);

/** The output and the memory of a column; gates as in `lstm`: enter, keep, fresh, leave. */
const cell: UnitwiseCell = {
  states: 2,
  gates: 4,
  next([, c], [enter, keep, fresh, leave]) {
    const memory = tf.add(tf.mul(tf.sigmoid(keep!), c!), tf.mul(tf.sigmoid(enter!), tf.tanh(fresh!)));
    return [tf.mul(tf.sigmoid(leave!), tf.tanh(memory)), memory];
  },
};
