/** A block of a transformer, as the layers that are one share it. */
import type { Json, Shape } from "../../data/dataset.ts";
import { needOneOf } from "../../data/options.ts";
import { type Rng, tf } from "../../engine/index.ts";
import { type FeedForwardOptions, feedForward } from "../layers/attention/feed-forward.ts";
import { dropout } from "../layers/basic/dropout.ts";
import type { Mode, Params } from "../model.ts";
import { type AttendOptions, attending, type Gone, type Seeing, type Streams } from "./attending.ts";
import { type NormName, normLayer } from "./norms.ts";
import { addOrthogonal } from "./orthogonal.ts";
import { factoredParams, type Ranks } from "./product.ts";

/** Options of a block: of its attention, of its dense layers, and how both are put together. */
export interface BlockOptions extends AttendOptions, Omit<FeedForwardOptions, "bias"> {
  /** Whether what enters attention and the dense layers is normalised, or what leaves their sums. Default "before". */
  readonly norm?: "before" | "after";
  /** By what it is normalised: `layerNorm`, `rmsNorm`, or one of the forms of `elementwiseNorm`. Default "layer". */
  readonly normalisation?: NormName;
  /** Added to the variance where it is normalised. Default 1e-5. */
  readonly epsilon?: number;
  /** What is added of what attention and the dense layers give: all, or what is at right angles to what passes by. Default "add". */
  readonly residual?: "add" | "orthogonal";
  /** Whether queries, keys and values have biases; "none": no product has. Default true. */
  readonly bias?: boolean | "none";
  /** Share of numbers set to 0 in training at the end of attention and of the dense layers. Default 0. */
  readonly dropout?: number;
  /**
   * How many times fewer numbers each product has, as two factors of its kernel, or the ranks of some: `{ up: 4, down: 4 }`; 0.5 is full rank.
   * Default 0: one kernel.
   */
  readonly lowRank?: Ranks;
}

/** What comes into a block: what attention is made from, and what passes by. */
export interface Entering extends Streams {
  readonly passing: tf.Tensor;
}

/** The names of what attention is made from. */
export const streamNames = ["query", "key", "value"] as const;

/** A block with its options filled in. */
export interface Block {
  /** For the record. */
  readonly options: Json;
  /** Whether it can go on piece by piece. */
  readonly goesOn: boolean;
  /** Heads of keys and values. */
  readonly kvHeads: number;
  /** Throws when an input of that shape does not fit. */
  fits(input: Shape): void;
  /** With a normalisation for each of query, key and value, or one for all. */
  init(rng: Rng, input: Shape, apart?: boolean): Params;
  run(entering: Entering, params: Params, mode: Mode, seeing?: Seeing): Gone;
}

/** A block of `heads` heads in the name of a layer. */
export function blockOf(where: string, heads: number, given: BlockOptions): Block {
  const { widen = 4, norm: place = "before", normalisation = "layer", activation = "gelu", gelu = "tanh" } = given;
  const { epsilon = 1e-5, residual = "add", dropout: share = 0, bias = true, lowRank = 0 } = given;
  const attention = attending(where, heads, given);
  const feed = feedForward({ widen, activation, gelu, bias: bias !== "none" });
  const norm = normLayer(where, normalisation, epsilon);
  const drop = dropout(share);
  for (const value of typeof lowRank === "number" ? [lowRank] : Object.values(lowRank))
    if (!(value >= 0)) throw new RangeError(`${where}: a lowRank of at least 0 is required, got ${value}`);
  needOneOf(where, "norm", place, ["before", "after"]);
  needOneOf(where, "residual", residual, ["add", "orthogonal"]);
  const add = residual === "add" ? tf.add : (x: tf.Tensor, change: tf.Tensor) => addOrthogonal(x, change);
  return {
    options: {
      heads,
      widen,
      causal: attention.causal,
      // what is not used does not stand in records: they are those of before
      ...(place !== "before" && { norm: place }),
      ...(normalisation !== "layer" && { normalisation }),
      ...(activation !== "gelu" && { activation }),
      ...(gelu !== "tanh" && { gelu }),
      ...(epsilon !== 1e-5 && { epsilon }),
      ...(residual !== "add" && { residual }),
      ...(share !== 0 && { dropout: share }),
      ...(lowRank !== 0 && { lowRank }),
      ...attention.said,
    },
    goesOn: attention.goesOn,
    kvHeads: given.kvHeads ?? heads,
    fits: attention.fits,
    init(rng, input, apart = false) {
      const [attends, feeds] = [attention.init(rng, input[1]!), feed.init!(rng, input)];
      const all: Params = { ...attends, between: norm.init!(rng, input), ...feeds };
      return {
        before: apart
          ? Object.fromEntries(streamNames.map((name) => [name, norm.init!(rng, input)]))
          : norm.init!(rng, input),
        ...all, // in their order along the block, which files and tables keep
        ...(lowRank !== 0 && factoredParams(rng.at("factors"), { ...attends, ...feeds }, lowRank)),
      };
    },
    run({ passing, ...streams }, params, mode, seeing) {
      const normal = (x: tf.Tensor, part: string): tf.Tensor => norm.apply(x, params[part] as Params, mode.at(part));
      const dense = (x: tf.Tensor): tf.Tensor => drop.apply(feed.apply(x, params, mode), {}, mode.at("dense"));
      const before = params.before as Params;
      const one = streams.query === streams.key && streams.key === streams.value;
      const entering = (): Streams => {
        if (place === "after") return streams;
        if (one) return same(normal(streams.query, "before"));
        const each = streamNames.map((name) => [
          name,
          norm.apply(streams[name], before[name] as Params, mode.at("before").at(name)),
        ]);
        return Object.fromEntries(each) as Streams;
      };
      const [seen, after] = attention.attend(entering(), params, mode, seeing);
      const sum = add(passing, drop.apply(seen, {}, mode.at("attention")));
      if (place === "after") {
        const between = normal(sum, "before");
        return [normal(add(between, dense(between)), "between"), after];
      }
      return [add(sum, dense(normal(sum, "between"))), after];
    },
  };
}

/** Queries, keys and values made of one sequence. */
function same(x: tf.Tensor): Streams {
  return { query: x, key: x, value: x };
}

/** One sequence as all that comes into a block. */
export function enteringAs(x: tf.Tensor): Entering {
  return { ...same(x), passing: x };
}
