import { type Examples, gather, sizeOf, table } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { probabilitiesOf } from "../parts/acquisitions.ts";
import { withExtra } from "../parts/buffer.ts";
import { type Crop, drawnCrop, requireCrops, seenAs } from "../parts/crops.ts";
import { softTargetLoss } from "../parts/distillation.ts";
import { readingOf } from "../parts/teacher.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** The labels of every region of every example, region after region. */
interface Said {
  /** `[regions, n, columns]`. */
  readonly labels: Float32Array;
  /** `[regions, n]`: 0 where a region is dropped. */
  readonly kept: Uint8Array;
}

interface Memory {
  readonly said: Said | null;
}

/**
 * Distillation by regions: before training a teacher is asked about random crops of every image, and its answers are kept only where it is sure.
 *
 * Of each example there are `regions` crops, each at least the share `smallest` of its pixels, brought to the size of the whole and mirrored with probability
 * `flip`. How sure the teacher is of a crop is its largest probability. Below `low` the crop is dropped; below `high` it is learnt with the example's own label,
 * which has `1 − smoothing` of the probability, the columns sharing the rest; from `high` on with the teacher's probabilities, and above `top`, as too easy, it
 * is dropped. A step has one crop of each example, drawn among those that were kept, or the whole example with its softened label where none was. With probability `mix` a box of another kept crop of
 * the same image is put into it, and the labels are mixed by their pixels. The loss is `(1 − weight) · CE + weight · mean −Σ_c p_c log q_c`. Examples without a
 * label keep the teacher's probabilities. Examples that are no images are not cropped. Without a teacher the network's own answers on arrival are taken.
 *
 * Implements: P454 FerKD
 * Shen 2023, "FerKD: surgical label adaptation for efficient distillation", ICCV 2023: hard regions, their calibration, and SelfMix; the crops and their answers are
 * those of its forerunner's program (FKD, arXiv:2112.01528).
 * Written from accounts of it, which have the three bounds and what is done between them: their sizes, that sureness is the largest probability, and how mixing draws its
 * box (CutMix's, with an area that is uniform) are ours.
 * Differs from the paper: answers are kept whole, in the run's state; one crop of an image in a step.
 *
 * @throws TypeError where a teacher has classes that the stream has not.
 *
 * @example
 * ```ts
 * import { classes, digits, distilRegions, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   teacher: stream.learn(mlp({ hidden: [64] })),
 *   student: (teacher) => stream.learn(mlp({ hidden: [8] })).by(distilRegions({ teacher, smallest: 0.4, mix: 0.5 })),
 * });
 * ```
 */
export const distilRegions = strategy(
  "distilRegions",
  {
    /** The network that is asked. */
    teacher: null as TrainedNetwork | null,
    /** Crops of each example that are asked about. */
    regions: 8,
    /** Below this largest probability a crop is dropped. */
    low: 0.15,
    /** Below this one it is learnt with the example's own label. */
    high: 0.3,
    /** Above this one a crop is dropped too; 1 drops none. */
    top: 1,
    /** What a label gives away to all columns. */
    smoothing: 0.1,
    /** The share of rows into which another crop of the same image is mixed. */
    mix: 0.5,
    /** The least share of an image that a crop has. */
    smallest: 0.08,
    /** The share of crops that is mirrored. */
    flip: 0,
    /** The share of this in the loss, in [0, 1]; the labels have the rest. */
    weight: 1,
  },
  ({ teacher, regions, low, high, top, smoothing, mix, smallest, flip, weight }) => {
    requireWhole("distilRegions", "regions", regions, 1);
    requireNumber("distilRegions", "low", low, 0, 1);
    requireNumber("distilRegions", "high", high, 0, 1);
    if (low > high)
      throw new RangeError(`distilRegions: low of at most high (${high}) is required, got ${low}; exchange the two`);
    requireNumber("distilRegions", "top", top, 0, 1);
    if (high > top)
      throw new RangeError(`distilRegions: high of at most top (${top}) is required, got ${high}; exchange the two`);
    requireNumber("distilRegions", "smoothing", smoothing, 0, 1);
    requireNumber("distilRegions", "mix", mix, 0, 1);
    requireCrops("distilRegions", { smallest, flip });
    requireNumber("distilRegions", "weight", weight, 0, 1);

    const cropOf = (shape: Examples["shape"], example: number, region: number, rng: Rng): Crop =>
      drawnCrop(shape, { smallest, flip }, rng.at("region", region, example));

    /** The probabilities of a table's examples over the columns of the run. */
    function answers(shown: Examples, { columns, outputs }: Context): Float32Array {
      if (teacher === null) return probabilitiesOf(outputs(shown).logits, columns, null);
      const { logits, columns: own } = readingOf(teacher, shown);
      const p = probabilitiesOf(logits, own.length, null);
      const out = new Float32Array(shown.length * columns);
      for (let i = 0; i < shown.length; i++)
        own.forEach((column, c) => {
          if (column >= columns)
            throw new TypeError(
              `distilRegions: a teacher of the stream's ${columns} classes is required, got one with column ${column}`,
            );
          out[i * columns + column] = p[i * own.length + c]!;
        });
      return out;
    }

    /** The example's own label, softened. */
    function softened(label: number, columns: number): Float32Array {
      const row = new Float32Array(columns).fill(smoothing / columns);
      row[label]! += 1 - smoothing;
      return row;
    }

    return {
      tokens: "its regions are of images, and sequences have a class at each place",
      classes: true,
      init: (): Memory => ({ said: null }),
      beforeExperience(_before: Memory, { train, index }, context): Memory {
        const { columns, rng } = context;
        const [n, size] = [train.length, sizeOf(train.shape)];
        const said: Said = { labels: new Float32Array(regions * n * columns), kept: new Uint8Array(regions * n) };
        const all = gather(
          train,
          Uint32Array.from({ length: n }, (_, i) => i),
        );
        for (let region = 0; region < regions; region++) {
          const x = new Float32Array(all.length);
          for (let i = 0; i < n; i++) {
            const crop = cropOf(train.shape, i, region, rng.at("regions", index));
            seenAs(all.subarray(i * size, (i + 1) * size), x.subarray(i * size, (i + 1) * size), train.shape, crop);
          }
          const p = answers(table(x, train.labels, train.shape, 1), context);
          for (let i = 0; i < n; i++) {
            const row = p.subarray(i * columns, (i + 1) * columns);
            const [sure, label] = [Math.max(...row), train.labels[i]!];
            said.kept[region * n + i] = sure < low || sure > top ? 0 : 1;
            said.labels.set(sure < high && label >= 0 ? softened(label, columns) : row, (region * n + i) * columns);
          }
        }
        return { said };
      },
      batch({ said }: Memory, batch, { columns, experience, rng, step }) {
        if (said === null) return batch;
        const { shape, length } = batch.from;
        const [size, rows] = [sizeOf(shape), batch.current];
        const raw = gather(batch.from, batch.at.subarray(0, rows));
        const x = batch.x.slice();
        const wanted = new Float32Array(rows * columns);
        for (let row = 0; row < rows; row++) {
          const [example, own] = [batch.at[row]!, rng.at("draw", step, row)];
          const image = raw.subarray(row * size, (row + 1) * size);
          const out = x.subarray(row * size, (row + 1) * size);
          const open = Array.from({ length: regions }, (_, region) => region).filter(
            (region) => said.kept[region * length + example] === 1,
          );
          const see = (region: number, into: Float32Array): Float32Array => {
            seenAs(image, into, shape, cropOf(shape, example, region, rng.at("regions", experience)));
            const at = (region * length + example) * columns;
            return said.labels.subarray(at, at + columns);
          };
          if (open.length === 0) {
            out.set(image);
            // without a label and without an answer that counts, all columns are alike
            const label = batch.y[row]!;
            wanted.set(
              label < 0 ? new Float32Array(columns).fill(1 / columns) : softened(label, columns),
              row * columns,
            );
            continue;
          }
          const first = see(open[own.int(open.length)]!, out);
          if (!(own.uniform() < mix)) {
            wanted.set(first, row * columns);
            continue;
          }
          const other = new Float32Array(size);
          const second = see(open[own.int(open.length)]!, other);
          const share = pasted(other, out, shape, own);
          wanted.set(
            first.map((p, c) => (1 - share) * p + share * second[c]!),
            row * columns,
          );
        }
        return withExtra({ ...batch, x }, "distilRegions", { wanted: { data: wanted, shape: [rows, columns] } });
      },
      taskLoss: (_state, step) =>
        step.extra.wanted === undefined ? step.targetLoss() : softTargetLoss(step, step.extra.wanted, weight),
    };
  },
);

/**
 * Puts a box of one image into another at the same place, and gives its share of the pixels (Yun et al. 2019, arXiv:1905.04899, section 3.1): its middle is uniform,
 * its area too, and what sticks out is cut off. What is no image stays as it is.
 */
function pasted(from: Float32Array, into: Float32Array, shape: Examples["shape"], rng: Rng): number {
  if (shape.length !== 3) return 0;
  const [height, width, channels] = shape as [number, number, number];
  const side = Math.sqrt(rng.uniform());
  const range = (size: number): [number, number] => {
    const [middle, half] = [rng.int(size), Math.floor(Math.round(side * size) / 2)];
    return [Math.max(0, middle - half), Math.min(size, middle + half)];
  };
  const [[top, bottom], [left, right]] = [range(height), range(width)];
  for (let y = top; y < bottom; y++) {
    const at = (y * width + left) * channels;
    into.set(from.subarray(at, at + (right - left) * channels), at);
  }
  return ((bottom - top) * (right - left)) / (height * width);
}
