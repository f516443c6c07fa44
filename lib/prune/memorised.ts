import { needShare, needWhole, withDefaults } from "../data/options.ts";
import { random, tf } from "../engine/index.ts";
import type { Filter } from "../models/filter.ts";
import { tape } from "../models/model.ts";
import { type Noising, requireDenoiser, told } from "../models/parts/conditioned.ts";
import { denoiseStep, spaced } from "../models/parts/denoising.ts";
import { type KernelPlace, kernelAt, kernelPlaces, type Matrix, withTensors } from "../models/parts/kernel-layers.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { kept, masked } from "./parts/masks.ts";
import { type Pruned, pruned } from "./pruning.ts";

/** Options of `memorised`. */
export interface MemorisedOptions {
  /** The labels for which the denoiser draws examples that it has memorised. */
  readonly labels: readonly number[];
  /** The labels that they are held against; −1 stands for no label. Default [−1]. */
  readonly others?: readonly number[];
  /** Of what each unit weighs, the share of numbers that may go at each step. Default 0.01. */
  readonly share?: number;
  /** Examples drawn for each label. Default 8. */
  readonly count?: number;
  /** Steps from noise to an example, and how many of them, from the first on, are looked at. Default 50 (or all that there are) and 10. */
  readonly steps?: number;
  readonly looks?: number;
  /** Which kernels are pruned. Default those that lead out of the two dense layers of each block: every `down`. */
  readonly filter?: Filter;
  /** The seed of the noise. Default 0. */
  readonly seed?: number;
}

/**
 * What a denoiser has learnt by heart is cut out of it: the few numbers that weigh most when it draws memorised examples, and less when it draws others, become 0.
 *
 * Examples are drawn for the memorised labels and for the others, from the same noise. At each of the first steps a number of a kernel weighs `|W| · ‖X‖`, the length of its input
 * over the examples and places, as in `wanda`. It goes where it is in the unit's largest `share` with the memorised labels and weighs less with the others, at one of the steps or more.
 * Nothing is trained.
 *
 * Implements: P341 Memorisation subspace pruning
 * Chavhan et al. 2024, "Memorized images in diffusion models share a subspace that can be located and deleted", arXiv:2406.18566. Written from the abstract.
 * Chosen: the score of Wanda and the union over the first steps, as ConceptPrune of the same authors (arXiv:2405.19237, section 3) has them.
 * Differs from the paper: labels in place of prompts.
 *
 * @throws TypeError for a network that is no denoiser; RangeError for labels that it is not told.
 *
 * @example
 * ```ts
 * import { dit, network, prune, random, trained } from "thalweg";
 * const model = dit({ width: 16, depth: 1, classes: 3, steps: 20 });
 * const made = trained({ model, input: [4, 4, 1], weights: network(model, [4, 4, 1]).init(random(0), 3) });
 * const { report } = prune.memorised(made, { labels: [2], others: [0, 1], count: 2, looks: 2, share: 0.1 });
 * report.layers.length; // 1
 * ```
 */
export function memorised(network: TrainedNetwork, options: MemorisedOptions): Pruned {
  const where = "prune.memorised";
  const noising = requireDenoiser(where, network.model, network.input);
  const { labels, others, share, count, steps, looks, filter, seed } = withDefaults<Required<MemorisedOptions>>(
    where,
    options,
    {
      labels: [],
      others: [-1],
      share: 0.01,
      count: 8,
      steps: Math.min(50, noising.schedule.steps),
      looks: 10,
      filter: "*/down/kernel",
      seed: 0,
    },
  );
  needShare(where, "share", share);
  for (const [name, value] of Object.entries({ count, steps, looks })) needWhole(where, name, value);
  for (const [name, list] of [
    ["labels", labels],
    ["others", others],
  ] as const)
    if (list.length === 0 || list.some((c) => !Number.isInteger(c) || c < -1 || c >= noising.classes))
      throw new RangeError(
        `${where}: ${name} among the ${noising.classes} classes that the denoiser is told are required, got [${list}]`,
      );
  const places = kernelPlaces(where, network, filter);
  const kernels = places.map((place) => kernelAt(network.weights, place));
  const gone = kernels.map(({ length }) => new Uint8Array(length));
  const asked = { places, count, times: spaced(noising.schedule.steps, steps), looks: Math.min(looks, steps), seed };
  const [mine, theirs] = [labels, others].map((list) => lengths(network, noising, { ...asked, labels: list }));
  for (let look = 0; look < asked.looks; look++)
    places.forEach((place, i) => {
      const [own, other] = [mine, theirs].map((all) => weighed(kernels[i]!, all![look]![i]!, place.units));
      const stays = kept(where, own!, place, { sparsity: 1 - share, pattern: "" }, "unit");
      for (let at = 0; at < stays.length; at++) if (stays[at] === 1 && own![at]! > other![at]!) gone[i]![at] = 1;
    });
  const changes = places.map((place, i) => ({
    ...place,
    error: null,
    kernel: masked(
      kernels[i]!,
      gone[i]!.map((cut) => 1 - cut),
    ),
  }));
  const weights = withTensors(network.weights, new Map(changes.map(({ path, kernel }) => [`${path}/kernel`, kernel])));
  return pruned(
    "memorised",
    { labels: [...labels], others: [...others], share, count, steps, looks, seed },
    network,
    weights,
    changes,
    null,
  );
}

/** `|W| · length` of a kernel `[inputs, units]`. */
function weighed(kernel: Matrix, length: Float32Array, units: number): Matrix {
  return kernel.map((w, at) => Math.abs(w) * length[Math.floor(at / units)]!);
}

/** The root mean square of each number that comes into each kernel, at each of the first steps of drawing examples. */
function lengths(
  network: TrainedNetwork,
  noising: Noising,
  {
    places,
    labels,
    count,
    times,
    looks,
    seed,
  }: {
    readonly places: readonly KernelPlace[];
    readonly labels: readonly number[];
    readonly count: number;
    readonly times: readonly number[];
    readonly looks: number;
    readonly seed: number;
  },
): Float32Array[][] {
  const n = count * labels.length;
  const label = Int32Array.from({ length: n }, (_, i) => {
    const own = labels[Math.floor(i / count)]!;
    return own < 0 ? noising.classes : own;
  });
  let x = random(seed)
    .at("memorised")
    .normals([n, ...network.input]);
  const fresh = tf.scalar(0);
  const found: Float32Array[][] = [];
  for (let at = times.length - 1; at >= times.length - looks; at--) {
    const own = tf.tidy(() => {
      const seen = new Map<string, tf.Tensor>();
      const beside = told(noising, tf.fill([n], times[at]!), tf.tensor1d(label, "int32"));
      const within = {
        beside,
        tap: (path: readonly string[], _input: tf.Tensor, output: tf.Tensor, rows: () => tf.Tensor): tf.Tensor => {
          if (places.some((place) => place.path === path.join("/")))
            seen.set(path.join("/"), tf.sqrt(tf.mean(tf.square(rows()), 0)));
          return output;
        },
      };
      network.structure.features(network.weights, x, tape(false, null, network.statistics, within).mode);
      return places.map(({ path }) => seen.get(path)!.dataSync() as Float32Array);
    });
    found.push(own);
    const asked = { label, times, eta: 0, guidance: 1, clip: true };
    const next = denoiseStep(network, noising, x, fresh, asked, at);
    x.dispose();
    x = next;
  }
  tf.dispose([x, fresh]);
  return found;
}
