import { joined } from "../../data/dataset.ts";
import { cloneTree, disposeTree, mapTensors, type Rng, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Params, Tap } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { type Choice, choices, type Exemplars, exemplarTable, withExperience } from "../parts/exemplars.ts";
import { blunt, compensated, gate, type Sharpness, sharpened, sharpnessAt } from "../parts/gates.ts";
import { type LayerPath, layerAt, layerPaths, unitsAt, withLayer } from "../parts/layers.ts";
import { softmaxRegression } from "../parts/softmax-regression.ts";
import { still } from "../parts/still.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import {
  type Batch,
  type Change,
  type Context,
  type Pass,
  type Passed,
  requireNumber,
  requireOneOf,
  requireWhole,
  type Step,
  strategy,
} from "../strategy.ts";

/**
 * An extractor of features (of its own layers, where others are shared), its rows of the classifier, a classifier of its own for new classes and "older", and where units are pruned an
 * embedding of the gate of each unit, by layer.
 */
type Extractor = {
  readonly model: Params;
  readonly kernel: tf.Tensor;
  readonly auxKernel: tf.Tensor;
  readonly auxBias: tf.Tensor;
  readonly gates?: { readonly [path: LayerPath]: tf.Tensor };
};
type Added = { readonly [index: string]: Extractor | tf.Tensor };

interface Memory {
  readonly exemplars: Exemplars | null;
  /**
   * A mark for each extractor in use; the running statistics of those before the last; `[1, columns + 1]`, the columns of the experience
   * and one for all that is older.
   */
  readonly tensors: {
    readonly used: readonly tf.Tensor[];
    readonly statistics: readonly Params[];
    readonly open?: tf.Tensor;
  };
  readonly carried: Sharpness;
  readonly start: number;
  readonly perEpoch: number;
}

/**
 * DER, dynamically expandable representation: every experience adds an extractor of features, and those before stay as they are.
 *
 * The features of all extractors side by side go to one classifier. An experience trains its own extractor, begun as a copy of the last
 * one, and the classifier on its examples together with all exemplars; the loss is the cross-entropy plus `auxiliary ·` that of a
 * classifier on the new features alone, of the new classes against "older". Afterwards the classifier is fitted anew to the exemplars, the
 * same number of each class. Memory and work per step grow with the number of experiences.
 *
 * With `sparsity`, units are pruned: each unit of a layer (a channel of a convolution) of the new extractor is multiplied by a gate that is
 * trained, `sigmoid(s · e)` with s going from `1/sharpest` to `sharpest` in each epoch, and the loss has `sparsity ·` the share of the
 * weights that the gates leave open added. After the experience gates are open or shut, and the weights of shut units are 0; a note says
 * how many weights are left.
 *
 * With `shared` the first layers are the network's own for all extractors, and an experience adds the others alone: MEMO's generalised and specialised
 * blocks. What is saved may be exemplars. The shared layers go on being trained with the last extractor, so that features of those before move with them.
 *
 * Implements: P143 DER
 * Yan, Xie and He 2021, "DER: dynamically expandable representation for class incremental learning", arXiv:2103.16788, eq. 1–8; Zhou et al. 2023, "A model or 603
 * exemplars: towards memory-efficient class-incremental learning", arXiv:2205.13218, section 4.2, for `shared`.
 * Differs from the paper: nothing is pruned unless `sparsity` says so (its "DER w/o P"); of a layer whose inputs are not the units of the
 * layer before, as beside a skip, all inputs count as open; the classifier is fitted in the second stage by accelerated descent on all
 * exemplars at once with a small decay, without a temperature. The published program prunes nothing, so that gates are after the paper alone. Shared layers are passed through once for each extractor.
 *
 * @throws TypeError where the classes of the stream are not known; RangeError where `shared` leaves no layer to an extractor.
 *
 * @example
 * ```ts
 * import { derExpand } from "thalweg";
 * derExpand({ capacity: 2000, auxiliary: 1 });
 * ```
 */
export const derExpand = strategy(
  "derExpand",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** Strength of the auxiliary classifier. */
    auxiliary: 1,
    /** Rounds of the fit of the classifier after an experience, and its decay; 0 rounds leave the classifier as it was trained. */
    rounds: 200,
    decay: 1e-4,
    /** Strength of the pull towards few weights; 0 prunes nothing. */
    sparsity: 0,
    /** The largest sharpness of a gate. */
    sharpest: 10,
    /** How many of the model's layers with weights, from the first, all extractors share. */
    shared: 0,
  },
  ({ capacity, choose, auxiliary, rounds, decay, sparsity, sharpest, shared }) => {
    requireWhole("derExpand", "capacity", capacity, 1);
    requireOneOf("derExpand", "choose", choose, choices);
    requireNumber("derExpand", "auxiliary", auxiliary, 0);
    requireWhole("derExpand", "rounds", rounds, 0);
    requireNumber("derExpand", "decay", decay, 0);
    requireNumber("derExpand", "sparsity", sparsity, 0);
    requireNumber("derExpand", "sharpest", sharpest, 1);
    requireWhole("derExpand", "shared", shared, 0);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      parameters(context: Context): Params {
        const { stream, rng, columns, weights } = context;
        const layers = Object.keys(weights.model);
        if (shared > 0 && shared >= layers.length)
          throw new RangeError(
            `derExpand: fewer shared layers than the ${layers.length} with weights are required, got ${shared}`,
          );
        const common = layers.slice(0, shared);
        if (stream.head === "growing")
          throw new TypeError("derExpand: a stream whose classes are known is required, got one whose head grows");
        const all = sparsity > 0 ? layerPaths(context).slice(0, -1) : [];
        const gated = all.filter((path) => !common.includes(path.split("/")[1]!));
        const made = Array.from({ length: stream.length }, (_, k) => [
          String(k),
          extractor(context, rng.at(k), gated, common),
        ]);
        return { ...Object.fromEntries(made), bias: tf.zeros([columns]) } as Params;
      },
      init: (): Memory => ({
        exemplars: null,
        tensors: { used: [], statistics: [] },
        carried: blunt(sharpest),
        start: 0,
        perEpoch: 1,
      }),
      beforeExperience(
        { exemplars, tensors }: Memory,
        { classes, train },
        { weights, columns, statistics, ...context },
      ) {
        const index = tensors.used.length;
        const used = Array.from({ length: index + 1 }, (_, k) => tf.scalar(k));
        const examples = train.length + (exemplars === null ? 0 : exemplarTable(exemplars).length);
        const begun = { exemplars, carried: blunt(sharpest), start: context.step };
        const memory = { ...begun, perEpoch: Math.ceil(examples / context.batch) };
        if (index === 0) return { ...memory, tensors: { used, statistics: [] } };
        const open = tf.tensor2d(
          Float32Array.from({ length: columns + 1 }, (_, c) => +(c === columns || classes.includes(c))),
          [1, columns + 1],
        );
        const [last, own] = [extractorsOf(weights)[index - 1]!, extractorsOf(weights)[index]!];
        return {
          ...memory,
          tensors: { used, open, statistics: [...tensors.statistics, cloneTree(statistics)] },
          weights: changed(weights, { [index]: { ...own, model: cloneTree(last.model) } }),
        };
      },
      batch(state: Memory, batch, context): Batch {
        const told = tasksByColumn(state, batch, context);
        if (sparsity === 0) return told;
        const s = sharpnessAt((context.step + 1 - state.start) % state.perEpoch, state.perEpoch, sharpest);
        return withExtra(told, "derExpand", { next: { data: Float32Array.of(s), shape: [] } });
      },
      data: ({ exemplars }: Memory, { train }) =>
        exemplars === null ? train : joined([train, exemplarTable(exemplars)]),
      rowwise: true,
      forward({ tensors, carried }: Partial<Memory>, pass): Passed {
        if (tensors === undefined || tensors.used.length === 0) return pass.plain();
        return through(pass, tensors, pass.training ? carried!.sharpness : sharpest);
      },
      loss({ tensors, carried }: Partial<Memory>, step) {
        const few =
          sparsity === 0 || tensors === undefined
            ? tf.scalar(0)
            : tf.mul(openShare(step.weights, tensors.used.length - 1, carried!.sharpness), sparsity);
        if (tensors?.open === undefined || auxiliary === 0) return few as tf.Scalar;
        const { open, used } = tensors;
        const { auxKernel, auxBias } = extractorsOf(step.weights)[used.length - 1]!;
        const [width, outputs] = auxKernel.shape as [number, number];
        const [rows, all] = step.features.shape as [number, number];
        const own = tf.slice(step.features as tf.Tensor2D, [0, all - width], [rows, width]);
        const logits = tf.add(tf.matMul(own, auxKernel as tf.Tensor2D), auxBias);
        const isNew = tf.gather(tf.reshape(open, [outputs]), tf.cast(step.y, "int32"));
        const y = tf.add(tf.mul(tf.cast(step.y, "float32"), isNew), tf.mul(tf.sub(1, isNew), outputs - 1));
        const term = tf.mul(step.crossEntropy(logits, tf.cast(y, "int32"), open, step.weight), auxiliary);
        return tf.add(term, few) as tf.Scalar;
      },
      ...(sparsity > 0 && {
        gradient({ tensors, carried }: Memory, gradient: Weights, { weights }: Step): Weights {
          const at = tensors.used.length - 1;
          const [own, now] = [extractorsOf(gradient)[at]!, extractorsOf(weights)[at]!];
          const gates = mapTensors((g, e) => compensated(g, e!, carried.sharpness, sharpest), own.gates!, now.gates!);
          return changed(gradient, { [at]: { ...own, gates } });
        },
        update: (_state: Memory, _change: Change, { extra }: Step): Tree => sharpened(extra.next!),
      }),
      weights({ tensors }: Memory, { before, after }): Weights {
        const frozen = extractorsOf(before)
          .slice(0, tensors.used.length - 1)
          .map(({ model, gates }, k) => {
            const kept = { model: mapTensors((w) => w, model), ...(gates && { gates: mapTensors((e) => e, gates) }) };
            return [k, { ...extractorsOf(after)[k]!, ...kept }] as const;
          });
        return changed(after, Object.fromEntries(frozen));
      },
      afterExperience(state: Memory, { index, classes }, context) {
        const { tensors } = state;
        const pruned = sparsity > 0 ? prunedAt(context.weights, tensors.used.length - 1) : null;
        const weights = pruned?.weights ?? context.weights;
        const outputs: Context["outputs"] = (examples, other) => context.outputs(examples, other ?? weights);
        const at = { ...context, weights, outputs };
        const next = withExperience(state.exemplars, index, classes, capacity, choose, at);
        const memory = { ...state, exemplars: next, notes: pruned === null ? [] : [pruned.note] };
        if (next === null || index === 0 || rounds === 0) return { ...memory, weights };
        return { ...memory, weights: refitted(next, tensors.used.length, { rounds, decay }, at) };
      },
    };
  },
  ["boundary", "labels", "length"],
);

function extractorsOf(weights: Weights): Extractor[] {
  const { bias: _, ...extractors } = weights.added!.derExpand as unknown as Added;
  return Object.values(extractors) as Extractor[];
}

function changed(weights: Weights, parts: Added): Weights {
  const own = { ...(weights.added!.derExpand as unknown as Added), ...parts };
  return { ...weights, added: { ...weights.added, derExpand: own as unknown as Params } };
}

/** A new extractor and what reads it. */
function extractor(
  { network, columns, weights }: Context,
  rng: Rng,
  gated: readonly LayerPath[],
  common: readonly string[],
): Extractor {
  const { model: whole, head } = network.init(rng, columns);
  const parts = Object.entries(whole);
  const model = Object.fromEntries(parts.filter(([name]) => !common.includes(name)));
  disposeTree([head, ...parts.filter(([name]) => common.includes(name)).map(([, part]) => part)] as Tree);
  const width = network.width.reduce((a, b) => a * b, 1);
  const bound = 1 / Math.sqrt(width);
  const drawn = (name: string, outputs: number): tf.Tensor => rng.at(name).uniforms([width, outputs], -bound, bound);
  return {
    model,
    kernel: drawn("kernel", columns),
    auxKernel: drawn("aux", columns + 1),
    auxBias: tf.zeros([columns + 1]),
    ...(gated.length > 0 && {
      gates: Object.fromEntries(gated.map((path) => [path, rng.at("gate", path).normals([unitsAt(weights, path)])])),
    }),
  };
}

/** The weights of an extractor in the place of the network's own; layers that it lacks are shared. */
function inPlace(weights: Weights, { model }: Pick<Extractor, "model">): Weights {
  const all = Object.entries(weights.model).map(([name, common]) => [name, model[name] ?? common]);
  return { ...weights, model: Object.fromEntries(all) };
}

/** The layers of an extractor among those of a whole model. */
function ownOf(whole: Params, { model }: Pick<Extractor, "model">): Params {
  return Object.fromEntries(Object.keys(model).map((name) => [name, whole[name]!]));
}

/**
 * The share of an extractor's weights between open units: `Σ K |m₋| |m| / Σ K c₋ c` over its layers, K the size of a window, c and m the
 * units and gates of a layer, c₋ and m₋ those of its inputs.
 */
function openShare(weights: Weights, at: number, sharpness: tf.Tensor | number): tf.Tensor {
  const own = extractorsOf(weights)[at]!;
  let [open, all, before]: [tf.Tensor, number, tf.Tensor | null] = [tf.scalar(0), 0, null];
  for (const [path, embedding] of Object.entries(own.gates!)) {
    const { kernel } = layerAt(inPlace(weights, own), path);
    const gates = gate(embedding, sharpness);
    const inputs = kernel.shape.at(-2)!;
    const window = kernel.size / inputs / embedding.size;
    const into = before === null || inputs % before.size !== 0 ? inputs : tf.mul(tf.sum(before), inputs / before.size);
    open = tf.add(open, tf.mul(tf.mul(tf.sum(gates), into), window));
    all += kernel.size;
    before = gates;
  }
  return tf.div(open, all);
}

/** The weights with the gates of an extractor open or shut, those of shut units 0, and what is to be said of it. */
function prunedAt(weights: Weights, at: number): { readonly weights: Weights; readonly note: string } {
  const made = scoped(() => {
    const own = extractorsOf(weights)[at]!;
    let cut = inPlace(weights, own);
    const gates: Record<LayerPath, tf.Tensor> = {};
    for (const [path, embedding] of Object.entries(own.gates!)) {
      const open = tf.cast(tf.greater(embedding, 0), "float32");
      // so far from 0 that a sigmoid of it is 0 or 1
      gates[path] = tf.sub(tf.mul(open, 2 * shut), shut);
      const { kernel, bias } = layerAt(cut, path);
      cut = withLayer(cut, path, {
        kernel: tf.mul(kernel, open),
        ...(bias !== undefined && { bias: tf.mul(bias, open) }),
      });
    }
    const next = changed(weights, {
      [at]: { ...own, model: mapTensors((w) => w.clone(), ownOf(cut.model, own)), gates },
    });
    return { weights: next, left: openShare(next, at, 1) };
  });
  const note = `extractor ${at} keeps ${(100 * made.left.dataSync()[0]!).toFixed(1)} % of its weights`;
  made.left.dispose();
  return { weights: made.weights, note };
}

const shut = 1000;

/** The pass through the first `count` extractors, of which only the last is learnt. */
function through(pass: Pass, { used, statistics }: Memory["tensors"], sharpness: tf.Tensor | number): Passed {
  const count = used.length;
  const { bias } = pass.weights.added!.derExpand as unknown as { bias: tf.Tensor };
  const outs = extractorsOf(pass.weights)
    .slice(0, count)
    .map((own, k) => {
      const { kernel, gates } = own;
      const weights = inPlace(pass.weights, own);
      const tap: Tap = (path, _input, output) => {
        const embedding = gates?.[path.join("/")];
        return embedding === undefined ? output : tf.mul(output, gate(embedding, sharpness));
      };
      const last = { weights, ...(gates !== undefined && { tap }) };
      const { features } = pass.plain(k === count - 1 ? last : { weights, frozen: statistics[k] ?? {} });
      const flat = tf.reshape(features, [features.shape[0]!, -1]);
      const rows = k === count - 1 ? flat : still(flat);
      return { rows, logits: tf.matMul(rows as tf.Tensor2D, kernel as tf.Tensor2D) };
    });
  return {
    features: tf.concat(
      outs.map((o) => o.rows),
      1,
    ),
    logits: tf.add(tf.addN(outs.map((o) => o.logits)), bias),
  };
}

/** The weights with a classifier that is fitted to the exemplars alone. */
function refitted(
  exemplars: Exemplars,
  count: number,
  settings: { readonly rounds: number; readonly decay: number },
  context: Context,
): Weights {
  const all = exemplarTable(exemplars);
  const { features } = context.outputs(all);
  const width = features.length / all.length;
  const parts = Array.from(all.labels, (label, i) => ({ label, rows: features.subarray(i * width, (i + 1) * width) }));
  const { kernel, bias } = softmaxRegression(parts, width, context.columns, settings);
  const each = width / count;
  const own = extractorsOf(context.weights)
    .slice(0, count)
    .map((e, k) => [
      k,
      { ...e, kernel: scoped(() => ({ cut: tf.slice(kernel, [k * each, 0], [each, context.columns]) })).cut },
    ]);
  kernel.dispose();
  return changed(context.weights, { ...Object.fromEntries(own), bias });
}
