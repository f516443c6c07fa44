/** Attention of several heads, as the layers that have it share it. */
import type { Json, Shape } from "../../data/dataset.ts";
import { needOneOf, needWhole } from "../../data/options.ts";
import { nn, type Rng, tf } from "../../engine/index.ts";
import type { Layer } from "../layer.ts";
import type { Mode, Params, Remembered } from "../model.ts";
import { quantisedAttention } from "../quantised-attention.ts";
import { contextBias } from "./cape.ts";
import { lookBack } from "./look-back.ts";
import { kernelParams, normParams, product, productParams } from "./product.ts";
import { placesBefore } from "./recurrence.ts";
import { rotated } from "./rotary.ts";
import { sightBias } from "./visible.ts";

/** What attention can be told. */
export interface AttendOptions {
  /** Whether a place sees those before it and itself alone, as predicting the next token needs. Default true. */
  readonly causal?: boolean;
  /** Heads of keys and values, each of which as many heads of queries share. Default: as many as there are of queries. */
  readonly kvHeads?: number;
  /**
   * How scores know where places are: not at all, by queries and keys that are turned ("rotary"), by what is taken away for the distance ("alibi"), or by
   * how much came between that is unlike ("cape", where it is causal). Default "none".
   */
  readonly positions?: "none" | "rotary" | "alibi" | "cape";
  /** The base of the angles of "rotary". Default 10,000. */
  readonly rotaryBase?: number;
  /** How many places back "cape" tells apart. Default 32. */
  readonly farthest?: number;
  /** How many places back, itself included, a place sees, and as many onwards where it is not causal: at least 2. Default 0: all. */
  readonly window?: number;
  /**
   * Beyond the window each head sees one piece of so many alone, other heads others: all heads together see everything. Needs a window. Default 0: beyond it
   * nothing is seen.
   */
  readonly shards?: number;
  /** How many places are a piece. Default 1. */
  readonly shardSize?: number;
  /** What the queries and keys of each head are brought to a common scale by, before they are turned. Default "none". */
  readonly queryKeyNorm?: "none" | "rms" | "layer";
  /** Whether queries, keys and values have biases; "none": the last product neither. Default true. */
  readonly bias?: boolean | "none";
  /** How predictions compute it: in full, or as `quantisedAttention` does with so many bits of queries and keys. Default "full". */
  readonly precision?: "full" | "int8" | "int4";
  /** Numbers of each query and key, and of each value. Default: the width divided by the heads. */
  readonly keyWidth?: number;
  readonly valueWidth?: number;
}

/** The sequences that queries, keys and values are made from: `[n, length, units]`. */
export interface Streams {
  readonly query: tf.Tensor;
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
}

/** Queries, keys or values, `[n, places, heads, d]`. */
export type Heads = tf.Tensor;

/** Where a piece of sequences goes on: the keys and values of the places before, none at first, and where sequences begin, as `recurs` of a layer has them. */
export interface Going {
  readonly states: readonly tf.Tensor[] | null;
  readonly keep: tf.Tensor;
}

/** What is given, and the states after it: none of whole sequences. */
export type Gone = readonly [tf.Tensor, readonly tf.Tensor[]];

/** What else may happen on the way. */
export interface Seeing {
  /** Where sequences are not whole. */
  readonly going?: Going | undefined;
  /** What keys and values become before they are normalised and turned. */
  readonly remade?: (key: Heads, value: Heads) => readonly [Heads, Heads];
}

/** Attention with its options filled in. Its tensors are `query`, `key`, `value`, `out`, and the scales of a `queryKeyNorm`. */
export interface Attending {
  /** What was said of it beyond the defaults, for the record. */
  readonly said: { readonly [name: string]: Json };
  readonly causal: boolean;
  /** Whether it can go on piece by piece. */
  readonly goesOn: boolean;
  /** Throws when an input of that shape does not fit. */
  fits(input: Shape): void;
  init(rng: Rng, units: number): Params;
  /** What each place makes of what it sees. */
  attend(streams: Streams, params: Params, mode: Mode, seeing?: Seeing): Gone;
}

/**
 * Attention with these options, in the name of a layer.
 *
 * @throws RangeError, TypeError for options that do not go together.
 */
export function attending(where: string, heads: number, given: AttendOptions): Attending {
  const { causal = true, kvHeads = heads, positions = "none", rotaryBase = 10_000, window = 0 } = given;
  const { queryKeyNorm = "none", bias = true, farthest = 32, shards = 0, shardSize = 1 } = given;
  const { keyWidth, valueWidth, precision = "full" } = given;
  needOneOf(where, "precision", precision, ["full", "int8", "int4"]);
  for (const [name, width] of Object.entries({ keyWidth, valueWidth }))
    if (width !== undefined) needWhole(where, name, width);
  const widthOf = (part: keyof Streams, units: number): number =>
    (part === "value" ? valueWidth : keyWidth) ?? units / heads;
  needWhole(where, "heads", heads);
  needWhole(where, "kvHeads", kvHeads);
  if (heads % kvHeads !== 0)
    throw new RangeError(`${where}: kvHeads that divide the ${heads} heads are required, got ${kvHeads}`);
  needOneOf(where, "positions", positions, ["none", "rotary", "alibi", "cape"]);
  needOneOf(where, "queryKeyNorm", queryKeyNorm, ["none", "rms", "layer"]);
  if (window !== 0) needWhole(where, "window", window, 2);
  needWhole(where, "farthest", farthest, 2);
  needWhole(where, "shards", shards, 0);
  needWhole(where, "shardSize", shardSize);
  if (shards > 0 && window === 0) throw new RangeError(`${where}: a window beside shards is required, got none`);
  if (positions === "cape" && !causal)
    throw new RangeError(`${where}: causal attention is required for positions "cape", got causal: false`);
  if (!(rotaryBase > 0)) throw new RangeError(`${where}: a rotaryBase above 0 is required, got ${rotaryBase}`);
  const group = heads / kvHeads;
  const sight = { heads, causal, window, shards, shardSize, alibi: positions === "alibi" };

  const normalised = (x: Heads, params: Params, part: string): Heads => {
    if (queryKeyNorm === "none") return x;
    const { scale, shift } = params[part] as { readonly scale: tf.Tensor; readonly shift?: tf.Tensor };
    return queryKeyNorm === "rms" ? nn.rmsNormalise(x, scale) : nn.layerNormalise(x, scale, shift!);
  };
  /** The keys and values that are looked at, what is added to the scores, `[…, length, keys]`, and the states after. */
  type Look = readonly [keys: tf.Tensor, values: tf.Tensor, bias: tf.Tensor | undefined, after: readonly tf.Tensor[]];
  function look(key: tf.Tensor, value: tf.Tensor, mode: Mode, going: Going | undefined): Look {
    const length = key.shape[1]!;
    if (going === undefined) {
      const [keys, values, others] = mode.attended(key, value);
      const own = sightBias(sight, length, keys.shape[1]!);
      return [keys, values, own && others ? tf.add(own, others) : (own ?? others), []];
    }
    const { context } = mode.piece!;
    const back = window === 0 ? context : Math.min(window, context);
    const before = lookBack(key, value, going.states, going.keep, back);
    const [keys, values, hidden] = mode.attended(before.keys, before.values);
    if (hidden !== undefined)
      throw new TypeError(`${where}: whole sequences are required where places are hidden, got a piece of some`);
    const own = before.keys.shape[1]!;
    const far = sightBias({ ...sight, causal: false, window: 0 }, length, own, own - length);
    // what others put before is seen from every place
    const others = [
      [0, 0],
      [0, 0],
      [0, 0],
      [keys.shape[1]! - own, 0],
    ] as [number, number][];
    const bias = far === undefined ? before.hidden : tf.add(before.hidden, far);
    return [keys, values, tf.pad(bias, others), before.states];
  }
  function forGroups(bias: tf.Tensor): tf.Tensor {
    const [length, keys] = bias.shape.slice(-2) as [number, number];
    const before = bias.shape.slice(0, -2);
    return before.at(-1) === heads
      ? tf.reshape(bias, [...before.slice(0, -1), kvHeads, group * length, keys])
      : tf.tile(bias, [...before.map(() => 1), group, 1]);
  }

  return {
    causal,
    goesOn: causal && shards === 0,
    said: {
      ...(kvHeads !== heads && { kvHeads }),
      ...(positions !== "none" && { positions }),
      ...(rotaryBase !== 10_000 && { rotaryBase }),
      ...(farthest !== 32 && { farthest }),
      ...(window !== 0 && { window }),
      ...(shards !== 0 && { shards }),
      ...(shardSize !== 1 && { shardSize }),
      ...(queryKeyNorm !== "none" && { queryKeyNorm }),
      ...(bias !== true && { bias }),
      ...(precision !== "full" && { precision }),
      ...(keyWidth !== undefined && { keyWidth }),
      ...(valueWidth !== undefined && { valueWidth }),
    },
    fits(input) {
      const [, units] = input;
      const divided = keyWidth === undefined || valueWidth === undefined;
      if (input.length !== 2 || (divided && units! % heads !== 0))
        throw new RangeError(
          `${where}: a sequence whose width is a multiple of ${heads} heads is required, got shape [${input}]; put embedding(tokens, units) before it`,
        );
      if (positions === "rotary" && widthOf("key", units!) % 2 !== 0)
        throw new RangeError(`${where}: heads of even width are required to be turned, got ${widthOf("key", units!)}`);
    },
    init(rng, units) {
      const d = widthOf("key", units);
      const projection = (part: keyof Streams, count: number): Params =>
        (bias === true ? productParams : kernelParams)(rng.at(part), units, count * widthOf(part, units));
      const scales = (): Params => (queryKeyNorm === "rms" ? { scale: tf.ones([d]) } : normParams(d));
      return {
        query: projection("query", heads),
        key: projection("key", kvHeads),
        value: projection("value", kvHeads),
        out: (bias === "none" ? kernelParams : productParams)(rng.at("out"), heads * widthOf("value", units), units),
        ...(queryKeyNorm !== "none" && { queryNorm: scales(), keyNorm: scales() }),
        ...(positions === "cape" && { places: tf.zeros([d, farthest]) }),
      };
    },
    attend(streams, params, mode, { going, remade } = {}) {
      const [n, length, units] = streams.query.shape as [number, number, number];
      const at = going && positions === "rotary" ? placesBefore(going.states, going.keep)[0] : undefined;
      const apart = (x: tf.Tensor, count: number): Heads => tf.reshape(x, [n, x.shape[1]!, count, x.shape[2]! / count]);
      const flat = (x: Heads): tf.Tensor => tf.reshape(x, [n, x.shape[1]!, kvHeads * x.shape[3]!]);
      const made = (part: keyof Streams, count: number): Heads =>
        apart(product(streams[part], params, part, mode), count);
      const placed = (x: Heads): Heads => (positions === "rotary" ? rotated(x, rotaryBase, at) : x);

      const query = placed(normalised(made("query", heads), params, "queryNorm"));
      const drawn = [made("key", kvHeads), made("value", kvHeads)] as const;
      const [ownKey, ownValue] = remade === undefined ? drawn : remade(...drawn);
      const key = placed(normalised(ownKey, params, "keyNorm"));
      const [keys, values, bias, after] = look(flat(key), flat(ownValue), mode, going);

      const turned = (x: Heads): tf.Tensor => tf.transpose(x, [0, 2, 1, 3]);
      // heads that share keys are one head of as many more queries
      const together = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [n, kvHeads, group * length, x.shape[3]!]);
      const asked = group === 1 ? turned(query) : together(turned(query));
      const answers = turned(apart(keys, kvHeads));
      const plain = bias && (group === 1 ? bias : forGroups(bias));
      const added = positions === "cape" ? byContext(asked, answers, plain!, params.places as tf.Tensor) : plain;
      const shown = turned(apart(values, kvHeads));
      const seen =
        precision === "full" || mode.training
          ? nn.attention(asked, answers, shown, added)
          : quantisedAttention(asked, answers, shown, { queryKey: precision, ...(added && { mask: added }) });
      const wide = widthOf("value", units);
      const ofHeads = group === 1 ? seen : tf.reshape(seen, [n, heads, length, wide]);
      return [product(tf.reshape(turned(ofHeads), [n, length, heads * wide]), params, "out", mode), after];
    },
  };
}

/** What is added to scores for positions of the context, beside what hides places. */
function byContext(query: tf.Tensor, key: tf.Tensor, bias: tf.Tensor, places: tf.Tensor): tf.Tensor {
  const scores = tf.matMul(tf.mul(query, 1 / Math.sqrt(query.shape[3]!)), key, false, true);
  const seen = tf.add(tf.zerosLike(scores), tf.cast(tf.greater(bias, -1), "float32"));
  return tf.add(contextBias(query, scores, seen, places), bias);
}

/** `apply` and, where it goes on from places before, `recurs` of a layer, from one function. */
export function wholeOrPiece(
  goesOn: boolean,
  run: (x: tf.Tensor, params: Params, mode: Mode, going: Going | undefined, remembered: Remembered<tf.Tensor>) => Gone,
): Pick<Layer, "apply" | "recurs"> {
  return {
    apply: (x, params, mode, remembered = new Map()) => run(x, params, mode, undefined, remembered)[0],
    ...(goesOn && {
      recurs: (x, params, mode, states, keep, remembered = new Map()) =>
        run(x, params, mode, { states, keep }, remembered),
    }),
  };
}
