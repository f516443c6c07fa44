import { tf } from "../../engine/index.ts";
import { type Buffer, draw, emptyBuffer, offer, recall, withExtra, withRows } from "../parts/buffer.ts";
import { contrasted, oneHots, sameColumn } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { dropped, moved } from "../parts/forgetting.ts";
import { headKernel } from "../parts/head-kernel.ts";
import { emptyRecords, movedRecords, placesInput, read, widenedRecords, written } from "../parts/recorded.ts";
import { joinedRows } from "../parts/rows.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What the network gave for each place of the memory when its example arrived. A type, so that it is a tree of tensors. */
type Given = { readonly logits: tf.Tensor; readonly features: tf.Tensor };

interface Memory {
  readonly buffer: Buffer | null;
  /** How many columns there were when the example of each place arrived. */
  readonly known: Int32Array;
  /** The step at which the experience began. */
  readonly start: number;
  readonly carried: Given;
}

/** Steps in which the second temperature goes up and down once. */
const period = 500;

/**
 * Holistic proxy-based contrastive replay: examples are compared with the proxies of the classes at hand, and held to what the network gave
 * for them when they arrived.
 *
 * Logits are cosines of features and the head's columns over `temperature`. The loss of the batch and the drawn examples has three parts.
 * The contrast: each row is compared with the proxies of all rows, so that a proxy counts as often as its class is there; in batches of at
 * least `pairsFrom` rows it is compared with the other rows too. It is multiplied by a second temperature, which swings from `least` to
 * `most` and back every 500 steps of an experience: the first divides inside the softmax, the second scales the gradient. From the second
 * experience on two distillations are added over drawn examples: `proxies` times the mean squared move of their logits at the columns of
 * the rows, and `structure` times the cross-entropy between how alike they were to each other then and now. `proxies: 0, structure: 0,
 * least: 1, most: 1, pairsFrom: Infinity` is PCR.
 *
 * Implements: P334 HPCR / PCR
 *
 * Lin et al. 2023, arXiv:2304.04408 (PCR), eq. 4; Lin et al. 2024, arXiv:2309.15038 (HPCR), its three components with the constants of
 * its program.
 * Differs from the paper: from how many rows on pairs take part is left to a setting in its program, 50 here; examples are not augmented;
 * before anything is remembered the batch is learnt alone, where the program skips it. With a growing head columns that came after an
 * example are not held.
 *
 * @example
 * ```ts
 * import { hpcr } from "thalweg";
 * hpcr({ capacity: 500 });
 * ```
 */
export const hpcr = strategy(
  "hpcr",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** What cosines are divided by. */
    temperature: 0.09,
    /** Ends of the second temperature, which multiplies the contrast. */
    least: 0.5625,
    most: 1.8,
    /** Rows, drawn ones among them, from which on rows are compared with each other too. */
    pairsFrom: 50,
    /** Strength with which logits of drawn examples are held. */
    proxies: 0.1,
    /** Strength with which the likeness of drawn examples to each other is held. */
    structure: 0.5,
  },
  ({ capacity, draw: drawn, temperature, least, most, pairsFrom, proxies, structure }) => {
    requireWhole("hpcr", "capacity", capacity, 1);
    requireWhole("hpcr", "draw", drawn, 0);
    requireNumber("hpcr", "temperature", temperature, 1e-6);
    requireNumber("hpcr", "least", least, 0);
    requireNumber("hpcr", "most", most, least);
    requireNumber("hpcr", "pairsFrom", pairsFrom, 1);
    requireNumber("hpcr", "proxies", proxies, 0);
    requireNumber("hpcr", "structure", structure, 0);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: ({ columns, network }): Memory => ({
        buffer: null,
        known: new Int32Array(capacity),
        start: 0,
        carried: {
          logits: emptyRecords(capacity, columns).values,
          features: emptyRecords(capacity, network.width[0]!).values,
        },
      }),
      beforeExperience: (memory: Memory, { train }, { columns, step }): Memory => ({
        ...memory,
        buffer: memory.buffer ?? emptyBuffer(capacity, train),
        start: step,
        carried: { ...memory.carried, logits: widenedRecords({ values: memory.carried.logits }, columns).values },
      }),
      batch({ buffer, known, start }: Memory, batch, { rng, step, columns, experience }) {
        const memory = buffer!;
        const places = draw(memory, drawn || batch.current, rng.at("draw", step));
        const joined =
          places.length === 0 ? batch : withRows(batch, recall(memory, places), { name: "hpcr", weight: 1 });
        const widths = Float32Array.from(places, (place) => known[place]!);
        const kept = offer(memory, batch, "reservoir", rng.at("keep", step));
        for (const place of kept) if (place >= 0) known[place] = columns;
        const swing = least + ((most - least) / 2) * (1 - Math.cos((2 * Math.PI * (step - start)) / period));
        return withExtra(joined, "hpcr", {
          swing: { data: Float32Array.of(swing), shape: [] },
          written: placesInput(kept, capacity),
          ...(places.length > 0 &&
            experience > 0 && {
              drawn: placesInput(places, capacity),
              known: { data: widths, shape: [places.length, 1] },
            }),
        });
      },
      forward(_state, { plain, weights }) {
        const { features } = plain();
        const kernel = normalised(tf.transpose(headKernel("hpcr", weights)));
        const cosines = tf.matMul(normalised(features) as tf.Tensor2D, kernel as tf.Tensor2D, false, true);
        return { features, logits: tf.div(cosines, temperature) };
      },
      taskLoss(_state, step) {
        const { logits, y, features, mask } = step;
        const [rows, columns] = logits.shape as [number, number];
        const of = oneHots(y, columns) as tf.Tensor2D;
        const at = (all: tf.Tensor): tf.Tensor => tf.matMul(all as tf.Tensor2D, of, false, true);
        const open = mask === null ? at(tf.ones([rows, columns])) : at(tf.mul(tf.ones([rows, columns]), mask));
        const same = tf.mul(sameColumn(y, y), open);
        const near = tf.sub(at(logits), 1 / temperature);
        const contrast = (): tf.Tensor => {
          if (rows < pairsFrom) return contrasted(near, same, open);
          const others = tf.sub(1, tf.eye(rows));
          const alike = tf.div(tf.sub(cosinesOf(features), 1), temperature);
          const both = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.concat([a, b], 1);
          return contrasted(both(near, alike), both(same, tf.mul(same, others)), both(open, tf.mul(open, others)));
        };
        return tf.mul(contrast(), step.extra.swing ?? 1) as tf.Scalar;
      },
      loss({ carried }, step) {
        const old = joinedRows(step, "hpcr");
        const { drawn: places, known } = step.extra;
        if (old === null || places === undefined) return tf.scalar(0);
        const columns = old.logits.shape[1]!;
        const counts = tf.sum(oneHots(step.y, columns), 0, true);
        const held = tf.mul(
          counts,
          tf.cast(tf.less(tf.reshape(tf.range(0, columns), [1, columns]), known!), "float32"),
        );
        const apart = tf.mul(tf.square(tf.sub(old.logits, read({ values: carried!.logits }, places))), held);
        const logits = tf.div(tf.sum(apart), tf.maximum(tf.sum(held), 1));
        const before = read({ values: carried!.features }, places);
        return tf.add(
          tf.mul(logits, proxies),
          tf.mul(likeness(before, old.features, temperature), structure),
        ) as tf.Scalar;
      },
      forget({ buffer, known, start, carried }: Memory, columns): Memory {
        if (buffer === null) return { buffer, known, start, carried };
        const stay = dropped(buffer, columns);
        moved(known, 1, stay);
        const kept = (values: tf.Tensor): tf.Tensor => movedRecords({ values }, stay).values;
        return { buffer, known, start, carried: { logits: kept(carried.logits), features: kept(carried.features) } };
      },
      update({ carried }, _change, { extra, logits, features, current }) {
        const own = (values: tf.Tensor): tf.Tensor => tf.slice(values, [0, 0], [current, values.shape[1]!]);
        return {
          logits: written({ values: carried.logits }, extra.written!, own(logits)).values,
          features: written({ values: carried.features }, extra.written!, own(features)).values,
        };
      },
    };
  },
  ["boundary"],
);

function cosinesOf(features: tf.Tensor): tf.Tensor {
  const units = normalised(features) as tf.Tensor2D;
  return tf.matMul(units, units, false, true);
}

/** The mean cross-entropy between the softmax of each row's cosines to the others before and now; 0 for a single row. */
function likeness(before: tf.Tensor, now: tf.Tensor, temperature: number): tf.Tensor {
  const n = now.shape[0]!;
  if (n < 2) return tf.scalar(0);
  const alone = tf.mul(tf.eye(n), -1e9);
  const shares = (of: tf.Tensor): tf.Tensor => tf.add(tf.div(cosinesOf(of), temperature), alone);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.softmax(shares(before)), tf.logSoftmax(shares(now))), 1)));
}
