import { type Examples, gather, sizeOf } from "../../data/dataset.ts";
import { disposeTree, type Tree } from "../../engine/index.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { probabilitiesOf } from "../parts/acquisitions.ts";
import { withExtra } from "../parts/buffer.ts";
import { boxOf, drawnCrop, pooled, requireCrops, seenAs } from "../parts/crops.ts";
import { softTargetLoss } from "../parts/distillation.ts";
import { labelMaps, type Reader } from "../parts/label-maps.ts";
import { teacherOf } from "../parts/teacher.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** The largest logits at each place of each example, and their columns. */
interface Maps {
  readonly size: readonly [rows: number, columns: number];
  readonly columns: Uint16Array;
  readonly logits: Float32Array;
}

interface Memory {
  readonly maps: Maps | null;
}

/**
 * Localised labels: a teacher says once what is at each place of every image, and a random crop is learnt from what is said of its own places.
 *
 * The teacher's model ends with `globalPool()`; its head on each place before that gives a map of logits, of which the `top` largest at each place are kept
 * and the others are 0. In a step every image is seen as a crop of at least the share `smallest` of its pixels, brought to the size of the whole and mirrored
 * with probability `flip`. The softmax of the map's mean over the crop is its label p, of several classes where several are seen, and the loss is
 * `(1 − weight) · CE + weight · mean −Σ_c p_c log q_c`. Examples that are no images have one place and are not cropped. Without a teacher the network's own maps
 * on the experience's arrival are taken.
 *
 * Implements: P396 ReLabel
 * Yun et al. 2021, "Re-labeling ImageNet", arXiv:2101.05022, section 3, and its program for the region (RoIAlign with one bin, softmax behind it).
 * Differs from the paper: maps lie in the run's state and not in files. With few classes keep them all (`top` as many as there are): the zero for the others is
 * below the logits of a class only where there are many.
 *
 * @throws TypeError where images meet a teacher that does not end with globalPool(), or one of other classes.
 *
 * @example
 * ```ts
 * import { classes, digits, distilLocal, net, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * const places = net().conv(16, 3).relu().pool(2).conv(16, 3).relu().globalPool();
 * phases({
 *   teacher: stream.learn(places),
 *   student: (teacher) => stream.learn(net().conv(4, 3).relu().globalPool()).by(distilLocal({ teacher, top: 10 })),
 * });
 * ```
 */
export const distilLocal = strategy(
  "distilLocal",
  {
    /** The network that is asked. */
    teacher: null as TrainedNetwork | null,
    /** Logits that are kept at each place. */
    top: 5,
    /** The least share of an image that a crop has. */
    smallest: 0.08,
    /** The share of crops that is mirrored. */
    flip: 0,
    /** The share of the maps in the loss, in [0, 1]; the labels have the rest. */
    weight: 1,
  },
  ({ teacher, top, smallest, flip, weight }) => {
    requireWhole("distilLocal", "top", top, 1);
    requireCrops("distilLocal", { smallest, flip });
    requireNumber("distilLocal", "weight", weight, 0, 1);
    const given = teacher === null ? null : teacherOf("distilLocal", teacher);
    const read = (train: Examples, context: Context) => {
      if (given === null) return labelMaps("distilLocal", context.network, context as Reader, train);
      const { weights, statistics = {}, ...rest } = given.tensors(context);
      const found = labelMaps("distilLocal", teacher!.structure, { weights, statistics }, train);
      disposeTree({ weights, statistics, ...rest } as Tree);
      return found;
    };
    return {
      tokens: "its maps are of images, and sequences have a class at each place",
      classes: true,
      init: (): Memory => ({ maps: null }),
      beforeExperience(_before: Memory, { train }, context): Memory {
        const { rows, columns, classes, logits } = read(train, context);
        const kept = Math.min(top, classes, context.columns);
        const places = train.length * rows * columns;
        const maps: Maps = {
          size: [rows, columns],
          columns: new Uint16Array(places * kept),
          logits: new Float32Array(places * kept),
        };
        const order = Array.from({ length: Math.min(classes, context.columns) }, (_, c) => c);
        for (let place = 0; place < places; place++) {
          const own = logits.subarray(place * classes, (place + 1) * classes);
          const best = [...order].sort((a, b) => own[b]! - own[a]! || a - b).slice(0, kept);
          best.forEach((c, k) => {
            maps.columns[place * kept + k] = c;
            maps.logits[place * kept + k] = own[c]!;
          });
        }
        return { maps };
      },
      batch({ maps }: Memory, batch, { columns, rng, step }) {
        if (maps === null) return batch;
        const { shape, length } = batch.from;
        const [size, rows] = [sizeOf(shape), batch.current];
        const kept = maps.columns.length / length / maps.size[0] / maps.size[1];
        const raw = gather(batch.from, batch.at.subarray(0, rows));
        const x = batch.x.slice();
        const wanted = new Float32Array(rows * columns);
        for (let row = 0; row < rows; row++) {
          const crop = drawnCrop(shape, { smallest, flip }, rng.at("crop", step, row));
          const [from, to] = [row * size, (row + 1) * size];
          seenAs(raw.subarray(from, to), x.subarray(from, to), shape, crop);
          const map = dense(maps, batch.at[row]!, kept, columns);
          const box = boxOf(crop, shape.length === 3 ? shape : [1, 1], maps.size);
          const logits = Float32Array.from(pooled(map, [...maps.size, columns], box));
          wanted.set(probabilitiesOf(logits, columns, null), row * columns);
        }
        return withExtra({ ...batch, x }, "distilLocal", {
          wanted: { data: wanted, shape: [rows, columns] },
        });
      },
      taskLoss: (_state, step) =>
        step.extra.wanted === undefined ? step.targetLoss() : softTargetLoss(step, step.extra.wanted, weight),
    };
  },
);

/** The map of one example over all columns; what was not kept is 0. */
function dense({ size, columns: names, logits }: Maps, example: number, kept: number, columns: number): Float32Array {
  const places = size[0] * size[1];
  const out = new Float32Array(places * columns);
  for (let place = 0; place < places; place++)
    for (let k = 0; k < kept; k++) {
      const at = (example * places + place) * kept + k;
      out[place * columns + names[at]!] = logits[at]!;
    }
  return out;
}
