/** Examples that a trained denoiser draws. */
import { type Examples, gather, type Shape, sizeOf, table } from "../data/dataset.ts";
import { needWhole, withDefaults } from "../data/options.ts";
import { type Rng, random, tf } from "../engine/index.ts";
import { centred, type Noising, requireDenoiser } from "./parts/conditioned.ts";
import { type Asked, denoiseStep, spaced, uncentred } from "./parts/denoising.ts";
import type { TrainedNetwork } from "./trained.ts";

/** Settings of `sample`. */
export interface SampleOptions {
  /** The column of the class of each example, or of all. Default: none is told. */
  readonly labels?: number | readonly number[];
  /**
   * Coarse pictures, `[height / side, width / side, channels]` each, in the denoiser's range, of which fine ones are drawn: for a denoiser with `coarse(side)`, which
   * requires them.
   */
  readonly from?: Examples;
  /** How many examples. Default: one for each label or each of `from`, 16 where there is no list of them. */
  readonly count?: number;
  /** Steps from noise to an example, evenly spaced in the schedule. Default 50, or all where there are fewer. */
  readonly steps?: number;
  /** How much noise comes back at each step: 0 none (DDIM), 1 as much as in DDPM. Default 0. */
  readonly eta?: number;
  /** How many times the difference that the class makes counts, from what is found without it. Default 1: as it is. */
  readonly guidance?: number;
  /** Whether examples stay in the denoiser's range on their way. Default true. */
  readonly clip?: boolean;
  /** The seed of all noise. Default 0. */
  readonly seed?: number;
}

/**
 * Examples drawn from noise by a trained denoiser, as a table of numbers as the network sees them, with their labels (−1 where none was told).
 *
 * At each step the network says what the noise is, from which the example can be guessed; then as much noise is left as the next step has. Song et al. 2021,
 * arXiv:2010.02502, equation 12: with `eta: 0` examples are a function of the first noise, with `eta: 1` and all steps it is Ho et al. 2020, algorithm 2, with the
 * variance of the posterior. A denoiser with `coarse` draws fine pictures of the coarse ones that are given as `from`. With `guidance` w the noise is `ε + w (ε_class − ε)`: Ho and Salimans 2022, arXiv:2207.12598, whose weight is w − 1.
 *
 * @throws TypeError for a network that is no denoiser; RangeError for labels of classes that it is not told, or coarse pictures that do not fit.
 *
 * @example
 * ```ts
 * import { dit, network, random, sample, trained } from "thalweg";
 * const model = dit({ width: 16, depth: 1, classes: 3, steps: 20 });
 * const made = trained({ model, input: [4, 4, 1], weights: network(model, [4, 4, 1]).init(random(0), 3) });
 * const drawn = sample(made, { labels: [0, 1, 2], guidance: 2, steps: 4 });
 * drawn.length; // 3
 * ```
 */
export function sample(network: TrainedNetwork, options: SampleOptions = {}): Examples {
  const noising = requireDenoiser("sample", network.model, network.input);
  const { from: coarse, ...plain } = options;
  const listed = Array.isArray(options.labels) ? options.labels.length : (coarse?.length ?? 16);
  const { labels, count, steps, eta, guidance, clip, seed } = withDefaults<Required<typeof plain>>("sample", plain, {
    labels: -1,
    count: listed,
    steps: Math.min(50, noising.schedule.steps),
    eta: 0,
    guidance: 1,
    clip: true,
    seed: 0,
  });
  needWhole("sample", "count", count);
  needWhole("sample", "steps", steps);
  if (steps > noising.schedule.steps)
    throw new RangeError(`sample: at most the schedule's ${noising.schedule.steps} steps are required, got ${steps}`);
  const wanted = typeof labels === "number" ? new Array<number>(count).fill(labels) : [...labels];
  if (wanted.length !== count)
    throw new RangeError(`sample: a label for each of ${count} examples is required, got ${wanted.length}`);
  const wrong = wanted.find((label) => !Number.isInteger(label) || label < -1 || label >= noising.classes);
  if (wrong !== undefined)
    throw new RangeError(
      `sample: labels below the ${noising.classes} classes that the denoiser is told are required, got ${wrong}`,
    );
  requireCoarse(noising, network.input, coarse, count);
  const times = spaced(noising.schedule.steps, steps);
  const out = new Float32Array(count * sizeOf(network.input));
  const rng = random(seed).at("sample");
  for (let from = 0; from < count; from += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, count - from);
    const label = Int32Array.from(wanted.slice(from, from + rows), (c) => (c < 0 ? noising.classes : c));
    const known = coarse && told(coarse, noising, from, rows);
    const guided = label.every((c) => c === noising.classes) ? 1 : guidance;
    const asked = { label, times, eta, guidance: guided, clip, coarse: known };
    const x = drawn(network, noising, asked, rng.at(from), [rows, ...network.input]);
    out.set(x.dataSync() as Float32Array, from * sizeOf(network.input));
    x.dispose();
    known?.dispose();
  }
  return table(uncentred(out, noising, clip), Int32Array.from(wanted), network.input, 1);
}

const rowsAtOnce = 256;

/** Throws unless there are coarse pictures where they are required, one for each example. */
function requireCoarse({ side }: Noising, input: Shape, from: Examples | undefined, count: number): void {
  if (side === 0 && from === undefined) return;
  if (side === 0)
    throw new TypeError(
      "sample: a denoiser with coarse(side) is required to draw from coarse pictures, got one without",
    );
  const wanted = [input[0]! / side, input[1]! / side, input[2]!];
  if (from === undefined || from.length !== count || String(from.shape) !== String(wanted))
    throw new RangeError(
      `sample: coarse pictures [${wanted}] for each of ${count} examples are required, got ${from === undefined ? "none" : `${from.length} of [${from.shape}]`}; give them as from`,
    );
}

/** Some rows of coarse pictures, centred. */
function told(from: Examples, noising: Noising, first: number, rows: number): tf.Tensor {
  const numbers = gather(
    from,
    Uint32Array.from({ length: rows }, (_, i) => first + i),
  );
  return tf.tidy(() => centred(tf.tensor(numbers, [rows, ...from.shape]), noising));
}

/** Examples of a batch, centred. */
function drawn(network: TrainedNetwork, noising: Noising, asked: Asked, rng: Rng, shape: readonly number[]): tf.Tensor {
  let x = rng.at("start").normals(shape);
  for (let i = asked.times.length - 1; i >= 0; i--) {
    const fresh = asked.eta === 0 ? tf.scalar(0) : rng.at("step", i).normals(shape);
    const next = denoiseStep(network, noising, x, fresh, asked, i);
    tf.dispose([x, fresh]);
    x = next;
  }
  return x;
}
