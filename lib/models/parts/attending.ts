/** Attention of several heads, as the layers that have it share it. */
import type { Json, Shape } from "../../data/dataset.ts";
import { needOneOf, needWhole } from "../../data/options.ts";
import { nn, type Rng, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";
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
   * How scores know where places are: not at all, by queries and keys that are turned ("rotary"), or by what is taken away for the distance ("alibi").
   * Default "none".
   */
  readonly positions?: "none" | "rotary" | "alibi";
  /** The base of the angles of "rotary". Default 10,000. */
  readonly rotaryBase?: number;
  /** How many places back, itself included, a place sees, and as many onwards where it is not causal: at least 2. Default 0: all. */
  readonly window?: number;
  /** What the queries and keys of each head are brought to a common scale by, before they are turned. Default "none". */
  readonly queryKeyNorm?: "none" | "rms" | "layer";
  /** Whether queries, keys and values have biases; "none": the last product neither. Default true. */
  readonly bias?: boolean | "none";
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

/** What else may happen on the way. */
export interface Seeing {
  /** What keys and values become before they are normalised and turned. */
  readonly remade?: (key: Heads, value: Heads) => readonly [Heads, Heads];
}

/** Attention with its options filled in. Its tensors are `query`, `key`, `value`, `out`, and the scales of a `queryKeyNorm`. */
export interface Attending {
  /** What was said of it beyond the defaults, for the record. */
  readonly said: { readonly [name: string]: Json };
  readonly causal: boolean;
  /** Throws when an input of that shape does not fit. */
  fits(input: Shape): void;
  init(rng: Rng, units: number): Params;
  /** What each place makes of what it sees. */
  attend(streams: Streams, params: Params, mode: Mode, seeing?: Seeing): tf.Tensor;
  /** The same for a piece of sequences, from the keys and values of the places before, and these for the next piece: as `recurs` of a layer. */
  goOn(
    streams: Streams,
    params: Params,
    mode: Mode,
    states: readonly tf.Tensor[] | null,
    keep: tf.Tensor,
    seeing?: Seeing,
  ): readonly [tf.Tensor, readonly tf.Tensor[]];
}

/**
 * Attention with these options, in the name of a layer.
 *
 * @throws RangeError, TypeError for options that do not go together.
 */
export function attending(where: string, heads: number, given: AttendOptions): Attending {
  const { causal = true, kvHeads = heads, positions = "none", rotaryBase = 10_000, window = 0 } = given;
  const { queryKeyNorm = "none", bias = true, keyWidth, valueWidth } = given;
  for (const [name, width] of Object.entries({ keyWidth, valueWidth }))
    if (width !== undefined) needWhole(where, name, width);
  const widthOf = (part: "query" | "key" | "value", units: number): number =>
    (part === "value" ? valueWidth : keyWidth) ?? units / heads;
  needWhole(where, "heads", heads);
  needWhole(where, "kvHeads", kvHeads);
  if (heads % kvHeads !== 0)
    throw new RangeError(`${where}: kvHeads that divide the ${heads} heads are required, got ${kvHeads}`);
  needOneOf(where, "positions", positions, ["none", "rotary", "alibi"]);
  needOneOf(where, "queryKeyNorm", queryKeyNorm, ["none", "rms", "layer"]);
  if (window !== 0) needWhole(where, "window", window, 2);
  if (!(rotaryBase > 0)) throw new RangeError(`${where}: a rotaryBase above 0 is required, got ${rotaryBase}`);
  const group = heads / kvHeads;
  const sight = { heads, causal, window, alibi: positions === "alibi" };

  const normalised = (x: Heads, params: Params, part: string): Heads => {
    if (queryKeyNorm === "none") return x;
    const { scale, shift } = params[part] as { readonly scale: tf.Tensor; readonly shift?: tf.Tensor };
    return queryKeyNorm === "rms" ? nn.rmsNormalise(x, scale) : nn.layerNormalise(x, scale, shift!);
  };
  /** The keys and values that are looked at, and what is added to the scores: `[…, length, keys]`. */
  type Look = (
    key: tf.Tensor,
    value: tf.Tensor,
  ) => readonly [keys: tf.Tensor, values: tf.Tensor, bias?: tf.Tensor | undefined];

  function seen(
    streams: Streams,
    params: Params,
    mode: Mode,
    look: Look,
    at?: tf.Tensor,
    { remade }: Seeing = {},
  ): tf.Tensor {
    const [n, length, units] = streams.query.shape as [number, number, number];
    const apart = (x: tf.Tensor, count: number): Heads => tf.reshape(x, [n, x.shape[1]!, count, x.shape[2]! / count]);
    const flat = (x: Heads): tf.Tensor => tf.reshape(x, [n, x.shape[1]!, kvHeads * x.shape[3]!]);
    const made = (part: keyof Streams, count: number): Heads =>
      apart(product(streams[part], params, part, mode), count);
    const placed = (x: Heads): Heads => (positions === "rotary" ? rotated(x, rotaryBase, at) : x);

    const query = placed(normalised(made("query", heads), params, "queryNorm"));
    const [own, values] = [made("key", kvHeads), made("value", kvHeads)];
    const [ownKey, ownValue] = remade === undefined ? [own, values] : remade(own, values);
    const [key, value, bias] = look(flat(placed(normalised(ownKey, params, "keyNorm"))), flat(ownValue));

    const turned = (x: Heads): tf.Tensor => tf.transpose(x, [0, 2, 1, 3]);
    // heads that share keys are one head of as many more queries
    const together = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [n, kvHeads, group * length, x.shape[3]!]);
    const given = nn.attention(
      group === 1 ? turned(query) : together(turned(query)),
      turned(apart(key, kvHeads)),
      turned(apart(value, kvHeads)),
      bias && (group === 1 ? bias : forGroups(bias)),
    );
    const ofHeads = group === 1 ? given : tf.reshape(given, [n, heads, length, widthOf("value", units)]);
    return product(tf.reshape(turned(ofHeads), [n, length, heads * widthOf("value", units)]), params, "out", mode);
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
    said: {
      ...(kvHeads !== heads && { kvHeads }),
      ...(positions !== "none" && { positions }),
      ...(rotaryBase !== 10_000 && { rotaryBase }),
      ...(window !== 0 && { window }),
      ...(queryKeyNorm !== "none" && { queryKeyNorm }),
      ...(bias !== true && { bias }),
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
      const projection = (part: "query" | "key" | "value", count: number): Params =>
        (bias === true ? productParams : kernelParams)(rng.at(part), units, count * widthOf(part, units));
      const scales = (): Params => (queryKeyNorm === "rms" ? { scale: tf.ones([d]) } : normParams(d));
      return {
        query: projection("query", heads),
        key: projection("key", kvHeads),
        value: projection("value", kvHeads),
        out: (bias === "none" ? kernelParams : productParams)(rng.at("out"), heads * widthOf("value", units), units),
        ...(queryKeyNorm !== "none" && { queryNorm: scales(), keyNorm: scales() }),
      };
    },
    attend: (streams, params, mode, seeing) =>
      seen(
        streams,
        params,
        mode,
        (key, value) => {
          const [keys, values] = mode.attended(key, value);
          return [keys, values, sightBias(sight, key.shape[1]!, keys.shape[1]!)];
        },
        undefined,
        seeing,
      ),
    goOn(streams, params, mode, states, keep, seeing) {
      const { context } = mode.piece!;
      let after: readonly tf.Tensor[] = [];
      const look: Look = (key, value) => {
        const before = lookBack(key, value, states, keep, window === 0 ? context : Math.min(window, context));
        after = before.states;
        const [keys, values] = mode.attended(before.keys, before.values);
        const [length, own] = [key.shape[1]!, before.keys.shape[1]!];
        const far = sightBias({ ...sight, causal: false, window: 0 }, length, own, own - length);
        const bias = far === undefined ? before.hidden : tf.add(before.hidden, far);
        // what others put before is seen from every place
        return [
          keys,
          values,
          tf.pad(bias, [
            [0, 0],
            [0, 0],
            [0, 0],
            [keys.shape[1]! - own, 0],
          ]),
        ];
      };
      const [at] = placesBefore(states, keep);
      return [seen(streams, params, mode, look, at, seeing), after];
    },
  };
}
