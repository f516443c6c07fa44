/** Experts: small networks side by side, of which each row passes through a few. */
import { nn, type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import type { Mode, Params } from "../model.ts";
import { rowsAt } from "./gradients.ts";
import { product, productParams } from "./product.ts";

/**
 * What is between the two products of an expert: "gelu" is the exact one, "gelu-tanh" that of GPT-2; "swiglu" has a third product, whose sigmoid linear unit
 * multiplies the first.
 */
export type ExpertForm = "gelu" | "gelu-tanh" | "relu" | "silu" | "swiglu";
export const expertForms: readonly ExpertForm[] = ["gelu", "gelu-tanh", "relu", "silu", "swiglu"];

/** Of what size and form experts are. */
export interface ExpertSizes {
  readonly widen: number;
  readonly form: ExpertForm;
  readonly bias: boolean;
}

/** The tensors of one expert for rows of `width` numbers. */
export function expertParams(rng: Rng, width: number, { widen, form, bias }: ExpertSizes): Params {
  const inner = Math.max(1, Math.round(widen * width));
  const drawn = (part: string, inputs: number, units: number): Params =>
    bias
      ? productParams(rng.at(part), inputs, units)
      : { kernel: drawWeights("torch", rng.at(part).at("kernel"), [inputs, units], inputs, units) };
  return {
    ...(form === "swiglu" && { gate: drawn("gate", width, inner) }),
    up: drawn("up", width, inner),
    down: drawn("down", inner, width),
  };
}

/** The tensors of several experts, by their number from 1. */
export function expertsParams(rng: Rng, experts: number, width: number, sizes: ExpertSizes): Params {
  return Object.fromEntries(
    Array.from({ length: experts }, (_, e) => [String(e + 1), expertParams(rng.at(String(e + 1)), width, sizes)]),
  );
}

/** What one expert makes of rows. */
export function expert(rows: tf.Tensor, params: Params, mode: Mode, form: ExpertForm): tf.Tensor {
  const up = product(rows, params, "up", mode);
  const inner = form === "swiglu" ? tf.mul(nn.silu(product(rows, params, "gate", mode)), up) : activated(up, form);
  return product(inner, params, "down", mode);
}

/** What is between the products, of what comes out of the first. */
export function activated(up: tf.Tensor, form: Exclude<ExpertForm, "swiglu">): tf.Tensor {
  if (form === "relu") return tf.relu(up);
  return form === "silu" ? nn.silu(up) : nn.gelu(up, form === "gelu" ? "exact" : "tanh");
}

/** Which experts rows go to: `[n, k]` numbers of experts and what their outputs are multiplied by. */
export interface Routes {
  readonly chosen: tf.Tensor2D;
  readonly gates: tf.Tensor2D;
}

/**
 * The sum of what the chosen experts make of each of `[n, width]` rows.
 *
 * With a `capacity` an expert takes so many rows at most, first choices before second ones and then in their order: where it is full, a row gets
 * nothing of it. Each expert is then a product of as many rows as it may take. Without one every expert sees every row, which costs all of them, and
 * no row depends on another.
 */
export function mixed(
  rows: tf.Tensor2D,
  { chosen, gates }: Routes,
  params: Params,
  mode: Mode,
  form: ExpertForm,
  capacity: number | null,
): tf.Tensor2D {
  const names = Object.keys(params);
  const [n, width] = rows.shape;
  const k = chosen.shape[1];
  const each = (name: string, of: tf.Tensor): tf.Tensor => expert(of, params[name] as Params, mode.at(name), form);
  if (capacity === null) {
    const shares = tf.sum(tf.mul(tf.oneHot(chosen, names.length, 1, 0, "float32"), tf.expandDims(gates, 2)), 1);
    const columns = tf.split(shares, names.length, 1);
    return tf.addN(names.map((name, e) => tf.mul(each(name, rows), columns[e]!))) as tf.Tensor2D;
  }
  const { slots, rowsOfSlots } = places(chosen, names.length, capacity);
  const taken = rowsAt(rows, rowsOfSlots);
  const given = names.map((name, e) => each(name, tf.slice(taken, [e * capacity, 0], [capacity, width])));
  // what found no place gets the row of zeros behind them
  const all = tf.concat([...given, tf.zeros([1, width])], 0);
  const back = tf.mul(rowsAt(all as tf.Tensor2D, slots), tf.reshape(tf.transpose(gates), [k * n, 1]));
  return tf.sum(tf.reshape(back, [k, n, width]), 0) as tf.Tensor2D;
}

/**
 * Where rows find a place: `slots` `[k · n]`, first choices first, is the place of each choice among `experts · capacity` ones, or the one behind them; and
 * `rowsOfSlots` which row each place has. Places that nobody has have row 0, whose output nobody takes.
 */
export function places(
  chosen: tf.Tensor2D,
  experts: number,
  capacity: number,
): { readonly slots: tf.Tensor1D; readonly rowsOfSlots: tf.Tensor1D } {
  const [n, k] = chosen.shape;
  const wanted = tf.reshape(tf.transpose(chosen), [k * n]);
  const asked = tf.oneHot(wanted, experts, 1, 0, "float32");
  const before = tf.sum(tf.mul(tf.cumsum(asked, 0, true), asked), 1);
  const slot = tf.add(tf.mul(tf.cast(wanted, "float32"), capacity), before);
  const slots = tf.cast(tf.where(tf.less(before, capacity), slot, experts * capacity), "int32") as tf.Tensor1D;
  const own = tf.tensor1d(Float32Array.from({ length: k * n }, (_, i) => i % n));
  const table = tf.scatterND(tf.reshape(slots, [k * n, 1]), own, [experts * capacity + 1]);
  return { slots, rowsOfSlots: tf.cast(tf.slice(table, [0], [experts * capacity]), "int32") as tf.Tensor1D };
}
