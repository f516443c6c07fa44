/** Sequences of unlike lengths through a recurrent network, packed so that little is padding. */
import { sizeOf } from "../data/dataset.ts";
import { needOneOf, needWhole, withDefaults } from "../data/options.ts";
import { disposeTree, jit, type Tree, tf } from "../engine/index.ts";
import type { Layer } from "./layer.ts";
import { type Params, tape } from "./model.ts";
import { goingOn, requirePlaceByPlace, type States } from "./parts/piece.ts";
import { sequential } from "./sequential.ts";
import type { TrainedNetwork } from "./trained.ts";

/** Settings of `refilled`. */
export interface RefillOptions {
  /** Sequences that are under way at once. Default 16. */
  readonly slots?: number;
  /** Places that each slot goes on at a time. Fewer answer sooner, more cost fewer programs. Default 8. */
  readonly chunk?: number;
  /** "places": a sequence begins where the one before it in its slot ends; "chunks": with the next chunk; "batches": when all slots are through. Default "places". */
  readonly refill?: "places" | "chunks" | "batches";
  /** The place in time at which each sequence arrives, ascending; default all at 0. */
  readonly arrivals?: readonly number[];
}

/** What became of sequences. */
export interface Refilled {
  /** `[columns]` logits of each sequence, at its last place. */
  readonly logits: readonly Float32Array[];
  /** For each sequence the places in time from its arrival to the end of the chunk in which it was finished. */
  readonly latencies: readonly number[];
  /** Places that were computed, and the share of them that belonged to a sequence. */
  readonly places: number;
  readonly used: number;
}

/** A sequence in a slot. */
interface Under {
  readonly index: number;
  at: number;
}

/**
 * The answers of a trained recurrent network to sequences of any lengths, several at once: a slot whose sequence is finished is filled with the next one.
 *
 * The network's layers treat every place by itself or carry a state along the sequence, as those of `stepping`; `last` is among them, after which a vector goes on. A sequence is its
 * numbers, place after place. The states of a slot are carried from chunk to chunk and are 0 where a sequence begins, so that answers are those to each
 * sequence alone. The report counts places, not seconds.
 *
 * Implements: P089 E-BATCH
 * Silfa, Arnau and González 2022, "E-BATCH: energy-efficient and high-throughput RNN batching", arXiv:2009.10656, sections 3 and 4: sequences are put one behind
 * the other, and a finished one makes room at once; their baselines are "chunks" and "batches".
 * Differs from the paper: the length of a chunk is fixed; energy and hardware are not modelled.
 *
 * @throws TypeError for a network with other layers; RangeError for sequences that are empty or cut off in the middle of a place.
 *
 * @example
 * ```ts
 * import { net, network, random, refilled, trained } from "thalweg";
 * const model = net().embedding(9, 4, { positions: false }).gru(5).last();
 * const made = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 2) });
 * const { used, places } = refilled(made, [[1, 2, 3], [4, 5], [6, 7, 8]], { slots: 1, chunk: 4 });
 * [places, used]; // [8, 1]
 * ```
 */
export function refilled(
  network: TrainedNetwork,
  sequences: readonly ArrayLike<number>[],
  options: RefillOptions = {},
): Refilled {
  const { slots, chunk, refill, arrivals } = withDefaults<Required<RefillOptions>>("refilled", options, {
    slots: 16,
    chunk: 8,
    refill: "places",
    arrivals: sequences.map(() => 0),
  });
  needWhole("refilled", "slots", slots);
  needWhole("refilled", "chunk", chunk);
  needOneOf("refilled", "refill", refill, ["places", "chunks", "batches"]);
  if (arrivals.length !== sequences.length || arrivals.some((at, i) => i > 0 && at < arrivals[i - 1]!))
    throw new RangeError(`refilled: an arrival for each of ${sequences.length} sequences, ascending, is required`);
  const [, ...inner] = network.input;
  const width = sizeOf(inner);
  const lengths = sequences.map((sequence, i) => {
    if (sequence.length > 0 && sequence.length % width === 0) return sequence.length / width;
    throw new RangeError(
      `refilled: a sequence of whole places of ${width} numbers is required, got ${sequence.length} as sequence ${i}`,
    );
  });
  const { pass, reach } = passOf(network);
  const long = lengths.find((length) => length > reach);
  if (long !== undefined)
    throw new RangeError(
      `refilled: at most the ${reach} places that the network has positions for are required, got a sequence of ${long}`,
    );
  const ends: (Float32Array | undefined)[] = sequences.map(() => undefined);
  const latencies = new Array<number>(sequences.length).fill(0);
  const under: (Under | null)[] = Array.from({ length: slots }, () => null);
  let [waiting, finished, clock, places, useful] = [0, 0, 0, 0, 0];
  let states: States | null = null;
  const arrived = (): boolean => waiting < sequences.length && arrivals[waiting]! <= clock;

  while (finished < sequences.length) {
    const empty = under.every((own) => own === null);
    if (empty && !arrived()) clock = arrivals[waiting]!;
    const x = new Float32Array(slots * chunk * width);
    const keep = new Float32Array(slots * chunk).fill(1);
    const over: { readonly index: number; readonly slot: number; readonly place: number }[] = [];
    for (let place = 0; place < chunk; place++)
      for (let slot = 0; slot < slots; slot++) {
        const opens = refill === "places" || (place === 0 && (refill === "chunks" || empty));
        if (under[slot] === null && opens && arrived()) {
          under[slot] = { index: waiting++, at: 0 };
          keep[slot * chunk + place] = 0;
        }
        const own = under[slot];
        if (own === null || own === undefined) continue;
        const row = Array.from({ length: width }, (_, j) => sequences[own.index]![own.at * width + j]!);
        x.set(row, (slot * chunk + place) * width);
        useful++;
        if (++own.at < lengths[own.index]!) continue;
        over.push({ index: own.index, slot, place });
        under[slot] = null;
      }
    const given = tf.tensor(x, [slots, chunk, ...inner]);
    const goes = tf.tensor2d(keep, [slots, chunk]);
    const out: readonly [tf.Tensor, States] = pass(network.weights.model, network.statistics, states, given, goes);
    const [features, next] = out;
    disposeTree([given, goes, states ?? {}] as unknown as Tree);
    states = next;
    clock += chunk;
    places += slots * chunk;
    const rows = features.dataSync() as Float32Array;
    const units = rows.length / slots / chunk;
    features.dispose();
    for (const { index, slot, place } of over) {
      const from = (slot * chunk + place) * units;
      ends[index] = rows.slice(from, from + units);
      latencies[index] = clock - arrivals[index]!;
      finished++;
    }
  }
  disposeTree((states ?? {}) as unknown as Tree);
  return {
    logits: logitsOf(network, ends as Float32Array[]),
    latencies,
    places,
    used: places === 0 ? 0 : useful / places,
  };
}

/** The layers before `last`, over some places, and their states. */
function passOf(network: TrainedNetwork) {
  const { model } = network;
  const { stack = [], names = [] } = model as { stack?: readonly Layer[]; names?: readonly string[] };
  const end = stack.findIndex(({ name }) => name === "last");
  if (end < 0)
    throw new TypeError(`refilled: a network that keeps the last() place is required, got ${model.spec.name}`);
  const before = sequential(model.spec.name, undefined, stack.slice(0, end), names.slice(0, end));
  const context = network.input[0]!;
  const reach = requirePlaceByPlace("refilled", network);
  const pass = jit(
    (
      params: Params,
      statistics: Params,
      states: States | null,
      given: tf.Tensor,
      keep: tf.Tensor,
    ): readonly [tf.Tensor, States] =>
      goingOn(
        (piece) => before.apply(params, given, tape(false, null, statistics, { piece }).mode),
        states,
        keep,
        context,
      ),
    { name: "refilled" },
  );
  return { pass, reach };
}

/** What the layers after `last` and the head make of the vectors at the ends. */
function logitsOf(
  { model, structure, weights, statistics }: TrainedNetwork,
  ends: readonly Float32Array[],
): Float32Array[] {
  if (ends.length === 0) return [];
  const { stack = [], names = [] } = model as { stack?: readonly Layer[]; names?: readonly string[] };
  const first = stack.findIndex(({ name }) => name === "last") + 1;
  const logits = tf.tidy(() => {
    const rows = tf.tensor2d(Float32Array.from(ends.flatMap((row) => [...row])), [ends.length, ends[0]!.length]);
    const { mode } = tape(false, null, statistics);
    const features = stack.slice(first).reduce((x: tf.Tensor, layer, i) => {
      const name = names[first + i]!;
      return layer.apply(x, (weights.model[name] ?? {}) as Params, mode.at(name));
    }, rows);
    return structure.logits(weights, features);
  });
  const numbers = logits.dataSync() as Float32Array;
  const columns = numbers.length / ends.length;
  logits.dispose();
  return ends.map((_, i) => numbers.slice(i * columns, (i + 1) * columns));
}
