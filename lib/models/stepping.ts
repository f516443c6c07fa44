/** A trained network that answers at each place of a sequence as it comes. */
import { type Shape, sizeOf } from "../data/dataset.ts";
import { needWhole, withDefaults } from "../data/options.ts";
import { cloneTree, disposeTree, jit, type Tree, tf } from "../engine/index.ts";
import { type Params, type Piece, tape } from "./model.ts";
import type { Weights } from "./network.ts";
import { goingOn, requirePlaceByPlace, type States } from "./parts/piece.ts";
import type { TrainedNetwork } from "./trained.ts";

/** Settings of `stepping`. */
export interface SteppingOptions {
  /** Sequences that go on side by side. Default 1. */
  readonly sequences?: number;
  /** How many places attention looks back on, the place itself among them, at least 2. Default: the length the network was made for. */
  readonly context?: number;
}

/** Numbers as the network sees them: a tensor, or nested or flat. */
export type PlaceInput = tf.Tensor | number | readonly PlaceInput[] | Float32Array;

/** A network under way along some sequences. */
export interface Stepper {
  /** Places that it has seen since the beginning of the sequences. */
  readonly places: number;
  /** Bytes of what it carries from place to place. */
  readonly bytes: number;
  /** The logits at the next place, `[sequences, columns]`, from what is there: `[sequences, …]`. They are the caller's. */
  step(x: PlaceInput): tf.Tensor;
  /** The logits at the next places, `[sequences, places, columns]`, from `[sequences, places, …]`; where the network gives one vector, at the last. */
  read(xs: PlaceInput): tf.Tensor;
  /** Goes back to the beginning. */
  reset(): void;
  /** Another one that has seen the same and goes on by itself. */
  fork(): Stepper;
  /** Frees what it carries; the network stays. */
  dispose(): void;
}

/**
 * A trained network that goes along a sequence place by place: each step costs the layers' work at one place, whatever was before.
 *
 * It takes networks of layers that treat each place by itself or carry a state: recurrent ones, linear recurrences, causal convolutions, and causal
 * attention, which remembers keys and values of the last `context` places. What it gives at a place is what `predict` gives there for the sequence so
 * far, or for its last `context` places where attention cannot look back further; through `last()` or a mean over the places, what it gives for
 * the sequence so far. One program is compiled for a step, and one for each number of places that are read at once.
 *
 * Numbers agree with those of `predict` to rounding: products of one row are added up in another order than those of many.
 *
 * Implements: P010 Continual Inference Networks + SPA
 * Hedegaard 2023, "Efficient online processing with deep neural networks", part II (Hedegaard and Iosifidis 2022, arXiv:2204.03418; Hedegaard et al. 2023,
 * arXiv:2201.06268): layers over time with buffers of the places before, weights as they were trained.
 * Differs from the paper: layers look back only, so that nothing waits for places to come; structured pruning adapters are not there.
 *
 * @throws TypeError that names a layer which needs the whole sequence, as attention that is not causal; RangeError beyond the places that a
 * layer has positions for.
 *
 * @example
 * ```ts
 * import { gpt, network, random, stepping, tf, trained } from "thalweg";
 * const model = gpt({ tokens: 9, width: 8, depth: 1, heads: 2 });
 * const made = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 9) });
 * const stepper = stepping(made);
 * stepper.read([[1, 2, 3]]).shape; // [1, 3, 9]
 * stepper.step([4]).shape; // [1, 9]
 * stepper.places; // 4
 * ```
 */
export function stepping(network: TrainedNetwork, options: SteppingOptions = {}): Stepper {
  const { sequences, context } = withDefaults<Required<SteppingOptions>>("stepping", options, {
    sequences: 1,
    context: Math.max(2, network.input[0]!),
  });
  needWhole("stepping", "sequences", sequences);
  needWhole("stepping", "context", context, 2);
  const reach = requirePlaceByPlace("stepping", network);
  const place = network.input.slice(1);
  const { structure, weights, statistics } = network;

  const pass = (own: Weights, running: Params, states: States | null, x: tf.Tensor): readonly [tf.Tensor, States] => {
    const keep = tf.ones([sequences, x.shape[1]!]);
    const logits = (piece: Piece): tf.Tensor =>
      structure.logits(own, structure.features(own, x, tape(false, null, running, { piece }).mode));
    return goingOn(logits, states, keep, context);
  };
  const compiled = jit(pass, { name: "stepping", donate: [2] });

  // nothing of this pass is computed: it tells the shapes of the states
  const shapes = tf.tidy(() => {
    const [, states] = pass(weights, statistics, null, tf.zeros([sequences, 1, ...place]));
    return states.map((each) => each.map(({ shape }) => shape)) as never;
  }) as unknown as readonly (readonly number[][])[];
  const zeros = (): States => shapes.map((each) => each.map((shape) => tf.keep(tf.zeros(shape))));

  const begin = (from: States, seen: number): Stepper => {
    let [states, places] = [from, seen];
    const go = (x: tf.Tensor): tf.Tensor => {
      const count = x.shape[1]!;
      if (places + count > reach)
        throw new RangeError(
          `stepping: at most the ${reach} places that the network has positions for are required, got ${places + count}; reset() begins anew`,
        );
      const [logits, next] = compiled(weights, statistics, states, x);
      [states, places] = [next, places + count];
      return logits;
    };
    return {
      get places() {
        return places;
      },
      bytes: states.flat().reduce((sum, { size }) => sum + 4 * size, 0),
      step(x) {
        const given = tensorOf(x, [sequences, ...place], "step");
        const at = tf.tidy(() => tf.reshape(given, [sequences, 1, ...place]));
        const logits = go(at);
        const y = tf.tidy(() => tf.reshape(logits, [sequences, logits.shape.at(-1)!]));
        tf.dispose([at, logits, ...(given === x ? [] : [given])]);
        return y;
      },
      read(xs) {
        const given = tensorOf(xs, [sequences, null, ...place], "read");
        const logits = go(given);
        if (given !== xs) given.dispose();
        return logits;
      },
      reset() {
        disposeTree(states as unknown as Tree);
        [states, places] = [zeros(), 0];
      },
      fork: () => begin(cloneTree(states) as States, places),
      dispose: () => disposeTree(states as unknown as Tree),
    };
  };
  return begin(zeros(), 0);
}

/** Numbers as a tensor of some shape, of which one may be open. */
function tensorOf(x: PlaceInput, wanted: readonly (number | null)[], verb: string): tf.Tensor {
  const known = wanted.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  const values = x instanceof tf.Tensor ? null : flat(x);
  const size = values?.length ?? (x as tf.Tensor).size;
  const open = wanted.includes(null) ? size / known : 1;
  const shape: Shape = wanted.map((dim) => dim ?? open);
  const fits = x instanceof tf.Tensor ? String(x.shape) === String(shape) : size === sizeOf(shape);
  if (!fits || open < 1 || !Number.isInteger(open))
    throw new RangeError(
      `stepping: ${verb}() needs numbers of shape [${wanted.map((dim) => dim ?? "places")}], got ${x instanceof tf.Tensor ? `shape [${x.shape}]` : `${size}`}`,
    );
  return values === null ? (x as tf.Tensor) : tf.tensor(Float32Array.from(values), [...shape]);
}

function flat(x: PlaceInput): number[] {
  if (typeof x === "number") return [x];
  if (x instanceof tf.Tensor) return [...x.dataSync()];
  return ArrayBuffer.isView(x) ? [...(x as Float32Array)] : (x as readonly PlaceInput[]).flatMap(flat);
}
