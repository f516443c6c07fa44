/** Dark experience: a memory of examples with the logits that the network gave for them when they arrived. */
import { tf } from "../../engine/index.ts";
import type { Batch, Context, Hooks, State, Step } from "../strategy.ts";
import { type Buffer, draw, emptyBuffer, offer, recall, withExtra, withRows } from "./buffer.ts";
import { dropped, moved } from "./forgetting.ts";
import { emptyRecords, movedRecords, placesInput, type Records, read, widenedRecords, written } from "./recorded.ts";
import { between, joinedRows } from "./rows.ts";

/** A memory whose logits are kept on the device. */
export interface DarkMemory {
  readonly buffer: Buffer | null;
  /** How many columns there were when the example of each place arrived. */
  readonly known: Int32Array;
  readonly carried: Records;
}

/** Settings of a dark memory. */
export interface DarkOptions {
  readonly name: string;
  readonly capacity: number;
  /** Examples drawn for each term; 0 draws as many as the batch has. */
  readonly draw: number;
  /** Strength of the distance between logits. */
  readonly alpha: number;
  /** Strength of the cross-entropy of a second draw; 0 makes none. */
  readonly beta: number;
}

/**
 * The hooks of DER and DER++. The logits that are kept are those of the batch before its update, in training mode; they lie on the device
 * in the order of the memory's places, so the host only says which places are read and written.
 */
export function darkHooks({ name, capacity, draw: drawn, alpha, beta }: DarkOptions): Hooks<DarkMemory> {
  return {
    tokens: true,
    init: ({ columns, stream }: Context): DarkMemory => ({
      buffer: null,
      known: new Int32Array(capacity),
      carried: emptyRecords(capacity, columns, stream.target === "tokens" ? stream.shape[0] : undefined),
    }),
    beforeExperience: (memory, { train }, { columns }) => ({
      ...memory,
      buffer: memory.buffer ?? emptyBuffer(capacity, train),
      carried: widenedRecords(memory.carried, columns),
    }),
    batch({ buffer, known }, batch: Batch, { rng, step, columns }: Context) {
      const memory = buffer!;
      const first = draw(memory, drawn || batch.current, rng.at("draw", step));
      const second = beta === 0 ? first : draw(memory, drawn || batch.current, rng.at("second draw", step));
      const joined =
        first.length === 0 ? batch : withRows(batch, recall(memory, first), { name: `${name} logits`, weight: 0 });
      const both =
        first.length === 0 || beta === 0
          ? joined
          : withRows(joined, recall(memory, second), { name: `${name} labels`, weight: 0 });
      const widths = Float32Array.from(first, (place) => known[place]!);
      const places = offer(memory, batch, "reservoir", rng.at("keep", step));
      for (const place of places) if (place >= 0) known[place] = columns;
      return withExtra(both, name, {
        written: placesInput(places, capacity),
        ...(first.length > 0 && {
          drawn: placesInput(first, capacity),
          known: { data: widths, shape: [first.length, 1] },
        }),
      });
    },
    loss({ carried }: State & { carried?: Records }, step: Step): tf.Scalar {
      const rows = joinedRows(step, `${name} logits`);
      if (rows === null) return tf.scalar(0);
      const columns = rows.logits.shape.at(-1)!;
      const known = rows.logits.rank === 3 ? tf.expandDims(step.extra.known!, 1) : step.extra.known!;
      const compared = tf.cast(tf.less(tf.reshape(tf.range(0, columns), [1, columns]), known), "float32");
      const apart = tf.mul(tf.square(tf.sub(rows.logits, read(carried!, step.extra.drawn!))), compared);
      const term = tf.mul(tf.div(tf.sum(apart), tf.mul(tf.sum(compared), places(rows.logits))), alpha);
      const labelled = joinedRows(step, `${name} labels`);
      if (labelled === null) return term as tf.Scalar;
      return tf.add(term, tf.mul(step.targetLoss({ ...labelled, weight: null }), beta)) as tf.Scalar;
    },
    forget({ buffer, known, carried }, columns) {
      if (buffer === null) return { buffer, known, carried };
      const stay = dropped(buffer, columns);
      moved(known, 1, stay);
      return { buffer, known, carried: movedRecords(carried, stay) };
    },
    update: ({ carried }, _change, { extra, logits, current }) =>
      written(carried, extra.written!, between(logits, 0, current)),
  };
}

/** How many places each row has logits at. */
function places(logits: tf.Tensor): number {
  return logits.rank === 3 ? logits.shape[1]! : 1;
}
