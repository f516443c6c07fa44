/** What layers of routed experts share: their options, and the way from logits of a router to what the experts make of rows. */
import type { Json, Shape } from "../../data/dataset.ts";
import { needOneOf, needWhole } from "../../data/options.ts";
import { type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { requireCount } from "../layer.ts";
import type { Mode, Params } from "../model.ts";
import { type ExpertForm, type ExpertSizes, expertForms, expertsParams, mixed } from "./experts.ts";
import { balanceLoss, gatheredLoads, loadStatistics, loads, routed, zLoss } from "./routing.ts";

/** Options of layers of experts that a router chooses. */
export interface MixtureOptions {
  /** How many experts a row goes to. Default 2. */
  readonly topK?: number;
  /** Width of the inner layer of an expert, in widths of its input. Default 4. */
  readonly widen?: number;
  /** What an expert has between its products. Default "gelu", the exact one. */
  readonly form?: ExpertForm;
  /** Whether the products of experts have biases. Default true. */
  readonly bias?: boolean;
  /**
   * In training an expert takes at most this many times the rows that each would have if all were used alike; rows that find no place pass it by. 0 is
   * without a limit, for the cost of all experts on all rows. Default 1.25. In evaluation there is none.
   */
  readonly capacity?: number;
  /** Weight of the loss of unequal use. Default 0.01. */
  readonly balance?: number;
  /** Over how many batches use is to be equal: those of one update where gradients are accumulated. Default 1. */
  readonly balanceOver?: number;
  /** Weight of the loss of large logits of the router. Default 0.001. */
  readonly zLoss?: number;
  /** In training what the router sees is multiplied by uniform numbers in 1 ± jitter. Default 0. */
  readonly jitter?: number;
}

/** The options with nothing left out, and what goes into the record of a model. */
export function mixtureOptions(
  where: string,
  experts: number,
  {
    topK = Math.min(2, experts),
    widen = 4,
    form = "gelu",
    bias = true,
    capacity = 1.25,
    balance = 0.01,
    balanceOver = 1,
    zLoss = 0.001,
    jitter = 0,
  }: MixtureOptions,
): { readonly [Name in keyof MixtureOptions]-?: NonNullable<MixtureOptions[Name]> } & Record<string, Json> {
  requireCount(where, "experts", experts);
  needWhole(where, "topK", topK);
  if (topK > experts) throw new RangeError(`${where}: topK of at most the ${experts} experts is required, got ${topK}`);
  needOneOf(where, "form", form, expertForms);
  needWhole(where, "balanceOver", balanceOver);
  if (!(widen > 0 && Number.isFinite(widen)))
    throw new RangeError(`${where}: a widen above 0 is required, got ${widen}`);
  for (const [name, value] of Object.entries({ capacity, balance, zLoss, jitter }))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new RangeError(`${where}: ${name} must be a number of at least 0, got ${value}`);
  return { topK, widen, form, bias, capacity, balance, balanceOver, zLoss, jitter };
}

/** Throws unless rows of numbers come in. */
export function requireRows(where: string, input: Shape): void {
  if (input.length !== 1 && input.length !== 2)
    throw new RangeError(`${where}: a vector or a sequence is required, got shape [${input}]; call flatten() first`);
}

/** The experts of a mixture, and a router with a kernel alone for `inputs` numbers. */
export function mixtureParams(rng: Rng, experts: number, width: number, sizes: ExpertSizes, inputs = width): Params {
  return {
    router: { kernel: drawWeights("torch", rng.at("router"), [inputs, experts], inputs, experts) },
    experts: expertsParams(rng.at("experts"), experts, width, sizes),
  };
}

/** The running statistics of a mixture. */
export function mixtureStatistics(experts: number, { balanceOver }: { readonly balanceOver: number }): Params {
  return loadStatistics(experts, balanceOver);
}

/** Rows with the noise that a router sees in training. */
export function jittered(rows: tf.Tensor, mode: Mode, jitter: number): tf.Tensor {
  if (jitter === 0 || !mode.training || mode.rng === null) return rows;
  return tf.mul(rows, mode.rng.at("jitter").uniforms(rows.shape, 1 - jitter, 1 + jitter));
}

/** What the chosen experts make of rows, by the logits of a router; in training the router's losses are added to that of the step. */
export function mixture(
  rows: tf.Tensor2D,
  logits: tf.Tensor2D,
  params: Params,
  mode: Mode,
  { topK, form, capacity, balance, balanceOver, zLoss: z }: ReturnType<typeof mixtureOptions>,
): tf.Tensor2D {
  const way = routed(logits, topK);
  if (mode.training) {
    if (balance > 0)
      mode.cost(tf.mul(balanceLoss(gatheredLoads(loads(way), mode, balanceOver), way.probabilities), balance));
    if (z > 0) mode.cost(tf.mul(zLoss(logits), z));
  }
  const most = mode.training && capacity > 0 ? placesFor(rows.shape[0], topK, logits.shape[1], capacity) : null;
  return mixed(rows, way, params.experts as Params, mode.at("experts"), form, most);
}

/** How many rows an expert may take. */
export function placesFor(rows: number, topK: number, experts: number, capacity: number): number {
  return Math.min(rows, Math.max(1, Math.ceil((capacity * topK * rows) / experts)));
}

/** The rows of vectors or of all places of sequences, and the way back. */
export function asRows(x: tf.Tensor): { readonly rows: tf.Tensor2D; readonly back: (y: tf.Tensor) => tf.Tensor } {
  const width = x.shape.at(-1)!;
  const rows = (x.rank === 2 ? x : tf.reshape(x, [x.size / width, width])) as tf.Tensor2D;
  return { rows, back: (y) => (x.rank === 2 ? y : tf.reshape(y, x.shape)) };
}
