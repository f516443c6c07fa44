import { type Examples, gather, type Shape, select, sizeOf } from "../../data/dataset.ts";
import { cloneTree, disposeTree, jit, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { rowsByClass } from "../parts/by-class.ts";
import { amongSeen } from "../parts/closed-form.ts";
import { supervisedContrast } from "../parts/contrast.ts";
import { begunAt, changedAt, cutAfter, latentsOf, requireCut } from "../parts/cut.ts";
import { layerInputs, layerPaths, requireChain } from "../parts/layers.ts";
import { chosen } from "../parts/prompts.ts";
import {
  activations,
  type ByLayer,
  heldUnits,
  randomWiring,
  redrawn,
  rewired,
  type Wiring,
  wiredWeights,
} from "../parts/rewiring.ts";
import { between } from "../parts/rows.ts";
import { type Change, type Context, requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

/** What the first layers gave for some examples of a class, a byte for each number. */
interface Recent {
  readonly experience: number;
  readonly rows: Uint8Array;
  readonly count: number;
  readonly low: number;
  readonly high: number;
}

/** Features of some examples of a class, row after row, and a mark for each of their numbers that counts. */
interface Known {
  readonly rows: Float32Array;
  readonly marks: Float32Array;
}

/** The features that are known as tensors: unit vectors where their marks are, `[classes · longTerm, width]`; which rows there are; the marks of each class. */
type KnownTensors = { readonly rows: tf.Tensor; readonly filled: tf.Tensor; readonly marks: tf.Tensor };

interface Memory {
  readonly carried: Wiring;
  readonly tensors: { readonly held?: ByLayer; readonly known?: KnownTensors };
  readonly recent: ReadonlyMap<number, Recent>;
  readonly known: ReadonlyMap<number, Known>;
  /** The shape of what the first layers give; empty before it is known. */
  readonly shape: Shape;
  /** The first step of the experience, and how many it and a phase have. */
  readonly start: number;
  readonly steps: number;
  readonly phase: number;
}

/**
 * SHARP, sparsity and hidden activation replay: a sparse network rewires itself so that the units of past classes are left alone, and only hidden
 * activations of the classes that came last are rehearsed.
 *
 * An experience has `phases`. At the start of each the units that were in use in no earlier experience are told apart: those with the largest mean
 * activations, up to a share of their layer's sum, are in use, the others idle; the share falls from 1 as half a cosine of `tau` phases, to `least`.
 * Connections from idle units to all others are dropped, and as many grow at random, beginning at 0, towards idle ones. The loss is the supervised contrastive
 * loss of features, idle ones left out, over the batch and as many hidden activations of the classes of the last `recent` experiences: what the first
 * `layers` layers gave, kept in bytes. At the end units in use grow one experience older. What leads into units older than `recent` experiences stays from then
 * on, in the first layers into all that were ever in use, so that what is kept stays true; what leads into idle units is drawn anew. The head is not used: of each class
 * the features of `longTerm` examples stay, with the units that were in use by then, and an example gets the class of most of its `neighbours` nearest by
 * the cosine over each class's own units.
 *
 * Gurbuz, Moorman and Dovrolis 2023, "SHARP: sparsity and hidden activation replay for neuro-inspired continual learning", arXiv:2305.18563, and the
 * authors' program (BurakGurbuz97/SHARP-Continual-Learning), whose rules and defaults these are.
 * Differs from the program: from the second phase on units are told apart by the activations of one batch, not of 1024 examples; phases share the
 * optimizer's state and the epochs of the run; of neighbours that are as many for two classes the nearest decides; classes of experiences that are no longer
 * recent are not kept in bytes.
 *
 * Implements: P216 SHARP
 *
 * @throws TypeError where the model is not dense layers and convolutions in a row; RangeError where it has fewer layers than are to come first.
 *
 * @example
 * ```ts
 * import { sharp } from "thalweg";
 * sharp({ layers: 1, recent: 1, sparsity: 0.6 });
 * ```
 */
export const sharp = strategy(
  "sharp",
  {
    /** Layers before the hidden activations that are kept. */
    layers: 1,
    /** Experiences whose classes are rehearsed. */
    recent: 1,
    /** The share of connections that there are not. */
    sparsity: 0.6,
    /** Phases of an experience; the steps in which the share falls; the least share. */
    phases: 10,
    tau: 30,
    least: 0.6,
    /** Hidden activations kept of a recent class, and features of every class. */
    shortTerm: 50,
    longTerm: 25,
    neighbours: 5,
    /** Hidden activations in a step; 0 for as many as the batch has. */
    draw: 0,
    /** What similarities are divided by. */
    temperature: 0.1,
  },
  ({ layers, recent, sparsity, phases, tau, least, shortTerm, longTerm, neighbours, draw, temperature }) => {
    for (const [what, value] of Object.entries({ layers, recent, phases, shortTerm, longTerm, neighbours }))
      requireWhole("sharp", what, value, 1);
    requireWhole("sharp", "draw", draw, 0);
    requireNumber("sharp", "sparsity", sparsity, 0, 0.999);
    requireNumber("sharp", "least", least, 0, 1);
    requireNumber("sharp", "tau", tau, 1);
    requireNumber("sharp", "temperature", temperature, 1e-6);

    /** The share of a layer's activation that units in use have in a phase, from 1; the second and the first have the same. */
    const shareOf = (phase: number): number =>
      Math.max(least, 0.5 * (1 + Math.cos((Math.min(tau, Math.max(2, phase)) * Math.PI) / tau)));
    /** The wiring after a step: another one where a phase begins behind it. */
    const next = ({ carried }: Pick<Memory, "carried">, { after }: Change, step: Step): Wiring => {
      const { share } = step.extra;
      if (share === undefined) return carried;
      const inputs = layerInputs(step.network, after, step.statistics, between(step.x, 0, step.current));
      const found = activations(inputs, Object.keys(carried.ages), carried.ages);
      return rewired(carried, found, share, step.rng?.at("sharp") ?? null);
    };
    /** 1 for the features that are not idle. */
    const used = ({ ages }: Wiring): tf.Tensor => tf.cast(tf.greater(ages[Object.keys(ages).at(-1)!]!, 0), "float32");

    return {
      classes: true,
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      init(context): Memory {
        requireCut("sharp", layers, context);
        requireChain("sharp", context);
        const paths = layerPaths(context).slice(0, -1);
        const carried = scoped(() => randomWiring(context.weights, paths, sparsity, context.rng));
        return { carried, tensors: {}, recent: new Map(), known: new Map(), shape: [], start: 0, steps: 0, phase: 1 };
      },
      beforeExperience(memory: Memory, { train, index }, context) {
        const { step, batch, epochs, weights, rng } = context;
        const steps = Math.ceil(train.length / batch) * epochs;
        const begun = { ...memory, start: step, steps, phase: Math.max(1, Math.ceil(steps / phases)) };
        if (train.length === 0) return begun;
        const found = activationsOf(train, memory.carried.ages, context);
        const made = scoped(() => {
          const carried = rewired(memory.carried, found, tf.scalar(shareOf(1)), rng.at("first", index));
          const own = cloneTree(carried);
          return { carried: own, weights: cloneTree(wiredWeights(weights, own.connections)) };
        });
        disposeTree(found);
        return { ...begun, ...made };
      },
      batch(memory: Memory, batch, { rng, step }) {
        const { start, steps, phase, shape } = memory;
        const taken = step - start + 1;
        const begins = taken % phase === 0 && taken < steps;
        const rows = drawn(memory.recent, draw === 0 ? batch.current : draw, rng.at("rehearsed", step));
        return withExtra(batch, "sharp", {
          ...(begins && { share: { data: Float32Array.of(shareOf(taken / phase + 1)), shape: [] } }),
          ...(rows !== null && {
            latents: { data: rows.latents, shape: [rows.labels.length, ...shape] },
            labels: { data: rows.labels, shape: [rows.labels.length] },
          }),
        });
      },
      forward({ carried }: Partial<Memory>, pass) {
        const { latents } = pass.extra;
        const cut = cutAfter(layers, pass.network, pass.weights);
        const { features, logits } = pass.plain(
          latents === undefined ? {} : changedAt(cut, (own) => tf.concat([own, latents], 0)),
        );
        const seen = carried === undefined ? features : tf.mul(features, used(carried));
        if (latents === undefined) return { features: seen, logits };
        const [n, all] = [pass.x.shape[0]!, features.shape[0]!];
        const aside = { rehearsed: between(seen, n, all) };
        return { features: between(seen, 0, n), logits: between(logits, 0, n), aside };
      },
      taskLoss(_state, { features, y, aside, extra }) {
        // an example without a label is alike with no other
        const label = tf.where(tf.less(y, 0), tf.sub(-1, tf.range(0, y.size)), tf.cast(y, "float32"));
        const [rows, labels] =
          aside.rehearsed === undefined
            ? [features, label]
            : [tf.concat([features, aside.rehearsed], 0), tf.concat([label, tf.cast(extra.labels!, "float32")], 0)];
        const length = tf.sqrt(tf.add(tf.sum(tf.square(rows), -1, true), 1e-12));
        return supervisedContrast(tf.div(rows, length), labels, temperature);
      },
      weights(state: Memory, change, step) {
        const { before, after } = change;
        const wired = wiredWeights(after, next(state, change, step).connections);
        const { held } = state.tensors;
        return { ...(held === undefined ? wired : heldUnits(before, wired, held)), head: before.head };
      },
      update: (state: Memory, change, step): Tree => next(state, change, step) as unknown as Tree,
      afterExperience(memory: Memory, { index }, context) {
        const { train } = context.stream.experience(index);
        const { rng, columns } = context;
        const paths = Object.keys(memory.carried.ages);
        const fresh = scoped(() => {
          const ages = mapTensors(
            (t: tf.Tensor) => tf.add(t, tf.cast(tf.greater(t, 0), "float32")),
            memory.carried.ages,
          );
          const held = paths.map((path, i) => [
            path,
            tf.cast(tf.greater(ages[path]!, i < layers ? 1 : recent + 1), "float32"),
          ]);
          const carried: Wiring = {
            ages,
            connections: cloneTree(memory.carried.connections),
          };
          const weights = cloneTree(redrawn(context.weights, carried, rng.at("idle", index)));
          return { carried, weights, held: Object.fromEntries(held) as ByLayer };
        });
        const at = { ...context, weights: fresh.weights };
        const idle = Float32Array.from(fresh.carried.ages[paths.at(-1)!]!.dataSync());
        const marksOf = (age: number): Float32Array => idle.map((own) => +(own >= age));
        const known = new Map(memory.known);
        for (const [column, { experience, ...latents }] of memory.recent) {
          const rows = featuresOf(bytesBack({ ...latents, experience }, longTerm), memory.shape, layers, at);
          const open = marksOf(1);
          known.set(column, {
            rows: rows.map((v, j) => v * open[j % open.length]!),
            marks: marksOf(2 + index - experience),
          });
        }
        const byClass = rowsByClass(train);
        const kept = new Map([...memory.recent].filter(([, { experience }]) => experience > index - recent));
        let { shape } = memory;
        for (const [column, rows] of byClass) {
          const some = select(train, Uint32Array.from(rows.slice(0, shortTerm)));
          const found = latentsOf(cutAfter(layers, context.network, context.weights), some, context);
          shape = found.shape;
          kept.set(column, { ...inBytes(found.rows), count: some.length, experience: index });
          const few = select(train, Uint32Array.from(rows.slice(0, longTerm)));
          known.set(column, {
            rows: Float32Array.from(context.outputs(few, fresh.weights).features),
            marks: marksOf(2),
          });
        }
        const { carried, weights, held } = fresh;
        const tensors = { held, ...(known.size > 0 && { known: knownTensors(known, columns, longTerm) }) };
        return { ...memory, carried, weights, tensors, recent: kept, known, shape };
      },
      rowwise: true,
      predict({ tensors }: Partial<Memory>, { features, logits }) {
        const known = tensors?.known;
        if (known === undefined) return logits;
        const classes = known.marks.shape[0]!;
        const each = known.rows.shape[0]! / classes;
        const lengths = tf.sqrt(
          tf.add(tf.matMul(tf.square(features) as tf.Tensor2D, known.marks as tf.Tensor2D, false, true), 1e-12),
        );
        const products = tf.matMul(features as tf.Tensor2D, known.rows as tf.Tensor2D, false, true);
        const spread = (t: tf.Tensor): tf.Tensor =>
          tf.reshape(tf.tile(tf.expandDims(t, 2), [1, 1, each]), [-1, classes * each]);
        const near = tf.add(tf.div(products, spread(lengths)), tf.mul(tf.sub(known.filled, 1), 10));
        const some = tf.sum(chosen(near as tf.Tensor2D, Math.min(neighbours, classes * each)), 1);
        const votes = tf.sum(tf.reshape(tf.mul(some, known.filled), [-1, classes, each]), 2);
        const nearest = tf.max(tf.reshape(near, [-1, classes, each]), 2);
        const open = tf.reshape(tf.slice(tf.reshape(known.filled, [classes, each]), [0, 0], [classes, 1]), [
          1,
          classes,
        ]);
        return amongSeen(tf.add(votes, tf.mul(nearest, 0.1)), open, logits.shape[1]!);
      },
      forget(memory: Memory, request, { columns }) {
        const without = <T>(of: ReadonlyMap<number, T>) => new Map([...of].filter(([column]) => !request.has(column)));
        const [kept, known] = [without(memory.recent), without(memory.known)];
        const { held } = memory.tensors;
        const tensors = {
          ...(held !== undefined && { held }),
          ...(known.size > 0 && { known: knownTensors(known, columns, longTerm) }),
        };
        return { ...memory, recent: kept, known, tensors };
      },
    };
  },
  ["boundary", "labels"],
);

/** The mean activations of the units over the first examples of a table. */
function activationsOf(train: Examples, ages: ByLayer, { network, weights, statistics }: Context): ByLayer {
  const count = Math.min(mostSeen, train.length);
  const at = Uint32Array.from({ length: count }, (_, i) => i);
  const x = tf.tensor(gather(train, at), [count, ...train.shape]);
  const read = jit(
    (w: Weights, s: Params, rows: tf.Tensor) => activations(layerInputs(network, w, s, rows), Object.keys(ages), ages),
    { name: "activations" },
  );
  const found = read(weights, statistics, x);
  x.dispose();
  return found;
}

/** Examples of which activations are the mean. */
const mostSeen = 1024;

/** Numbers as bytes between the least and the largest. */
function inBytes(rows: Float32Array): Pick<Recent, "rows" | "low" | "high"> {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of rows) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = high > low ? 255 / (high - low) : 0;
  return { rows: Uint8Array.from(rows, (v) => Math.round((v - low) * scale)), low, high };
}

/** What bytes stand for, of at most so many examples. */
function bytesBack({ rows, count, low, high }: Recent, most = count, from = 0): Float32Array {
  const width = rows.length / count;
  return Float32Array.from(
    rows.subarray(from * width, Math.min(count, from + most) * width),
    (v) => low + (v * (high - low)) / 255,
  );
}

/** Hidden activations drawn from the recent classes, as many of each, with their columns; null where there are none. */
function drawn(
  recent: ReadonlyMap<number, Recent>,
  count: number,
  rng: Context["rng"],
): { readonly latents: Float32Array; readonly labels: Int32Array } | null {
  const classes = [...recent];
  if (classes.length === 0) return null;
  const [, { rows, count: of }] = classes[0]!;
  const width = rows.length / of;
  const latents = new Float32Array(count * width);
  const labels = new Int32Array(count);
  let at = 0;
  for (const [i, [column, own]] of classes.entries()) {
    const wanted = Math.floor(count / classes.length) + +(i < count % classes.length);
    const order = rng.at("class", i).permutation(own.count);
    for (let k = 0; k < wanted; k++, at++) {
      latents.set(bytesBack(own, 1, order[k % own.count]!), at * width);
      labels[at] = column;
    }
  }
  return { latents, labels };
}

/** The features of hidden activations. */
function featuresOf(
  latents: Float32Array,
  shape: Shape,
  layers: number,
  { network, weights, statistics }: Pick<Context, "network" | "weights" | "statistics">,
): Float32Array {
  const rows = tf.tensor(latents, [latents.length / sizeOf(shape), ...shape]);
  const read = jit(
    (w: Weights, s: Params, own: tf.Tensor) =>
      network.features(
        w,
        tf.zeros([own.shape[0]!, ...network.input]),
        tape(false, null, s, begunAt(cutAfter(layers, network, w), own)).mode,
      ),
    { name: "features of latents" },
  );
  const found = read(weights, statistics, rows);
  const values = Float32Array.from(found.dataSync());
  disposeTree([rows, found]);
  return values;
}

function knownTensors(known: ReadonlyMap<number, Known>, columns: number, each: number): KnownTensors {
  const width = [...known.values()][0]!.marks.length;
  const rows = new Float32Array(columns * each * width);
  const filled = new Float32Array(columns * each);
  const marks = new Float32Array(columns * width);
  for (const [column, own] of known) {
    marks.set(own.marks, column * width);
    for (let k = 0; k < Math.min(each, own.rows.length / width); k++) {
      const row = own.rows.subarray(k * width, (k + 1) * width).map((v, j) => v * own.marks[j]!);
      const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) + 1e-12);
      rows.set(
        row.map((v) => v / length),
        (column * each + k) * width,
      );
      filled[column * each + k] = 1;
    }
  }
  return {
    rows: tf.tensor2d(rows, [columns * each, width]),
    filled: tf.tensor1d(filled),
    marks: tf.tensor2d(marks, [columns, width]),
  };
}
