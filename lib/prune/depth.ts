import type { Examples, Shape } from "../data/dataset.ts";
import { needOneOf, needShare, needWhole } from "../data/options.ts";
import { disposeTree, jit, type Tree, tf } from "../engine/index.ts";
import type { Layer } from "../models/layer.ts";
import { conv } from "../models/layers/conv/conv.ts";
import { type Params, tape } from "../models/model.ts";
import { accuracyOf } from "../models/parts/accuracy.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Link, linksOf, mergedConv, optionsOf, paddingOf, repadded, windowOf } from "./parts/conv-row.ts";
import { type Cut, cut } from "./parts/cut.ts";
import { type Bit, depthPlan } from "./parts/depth-plan.ts";

/** What `depth` can be told. */
export interface DepthOptions {
  /** What the convolutions may cost, as a share of what they do. Default 0.7. */
  readonly budget?: number;
  /**
   * What a convolution costs that gets images of a shape: "flops" (the default), "seconds" that a batch of 32 takes on the device there is, or a function.
   */
  readonly cost?: "flops" | "seconds" | ((layer: Layer, input: Shape) => number);
  /** Convolutions that become one, at most. Default all. */
  readonly longest?: number;
  /** Into how many parts the budget is divided. Default 1000. */
  readonly levels?: number;
  /** Trains each network that is tried for a short while, before its accuracy is measured. Default not at all. */
  readonly tune?: (network: TrainedNetwork) => Promise<TrainedNetwork>;
}

/** A network with fewer convolutions. */
export interface Shallower extends Cut {
  /** The network before its convolutions were merged, to be trained on: it answers as the other one does. */
  readonly unmerged: TrainedNetwork;
  /** Merges the convolutions of that network, once it is trained. */
  merge(trained: TrainedNetwork): TrainedNetwork;
  /** Positions that kept their activation: 1 is behind the first convolution. */
  readonly activations: readonly number[];
  /** Convolutions that became one: after which position they begin, at which they end. */
  readonly merges: readonly (readonly [from: number, to: number])[];
  /** What the convolutions cost, before and after. */
  readonly cost: readonly [before: number, after: number];
}

/**
 * Gives up the activations of a chain of convolutions that matter least, and merges those between which nothing is left into one, as is best for a
 * budget: chosen exactly, by two-stage dynamic programming over what convolutions cost and what accuracy is lost without activations.
 *
 * For each two positions between which convolutions may be merged, the accuracy on `data` is measured without the activations between them, with and without those at
 * both ends. Of sums of these that keep the budget the largest is found. Zeros around images are put before the first of several convolutions that are merged, and the
 * normalisations between them, so that the merged network and `unmerged` answer alike, at borders too: train `unmerged`, then `merge` it.
 *
 * It goes through the convolutions of the network's row of layers; those inside of residuals and branches stay, and poolings are not merged over. Windows with gaps, and
 * padding that is not alike on all sides, stay by themselves; groups become one. About `4 · n · longest` networks are tried for n convolutions.
 *
 * Implements: P190 Depth compression by 2-stage DP
 * Kim, Jeong, Lee, Lee and Song 2023, "Efficient latency-aware CNN depth compression via two-stage dynamic programming", arXiv:2301.12187, and its program.
 * Differs from the paper: residual additions are not merged into convolutions, no activation is added where there was none, and the accuracies that are summed are
 * differences to the network's own, without a factor for their mean.
 *
 * @throws TypeError for a network without convolutions in a row; RangeError for a budget that no way of merging keeps, or an empty table.
 *
 * @example
 * ```ts
 * import { digits, net, network, prune, random, trained } from "thalweg";
 * const model = net().conv(12, 1).relu().conv(4, 3).relu().conv(12, 1).relu().globalPool();
 * const made = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 10), scale: 1 / 16 });
 * const { merges, cost } = await prune.depth(made, digits().test, { budget: 0.8 });
 * merges; // [[0, 2], [2, 3]]
 * cost[1] <= 0.8 * cost[0]; // true
 * ```
 */
export async function depth(network: TrainedNetwork, data: Examples, options: DepthOptions = {}): Promise<Shallower> {
  const where = "prune.depth";
  const { budget = 0.7, cost = "flops", longest = Number.MAX_SAFE_INTEGER, levels = 1000, tune } = options;
  needShare(where, "budget", budget, "open");
  needWhole(where, "longest", longest);
  needWhole(where, "levels", levels);
  if (typeof cost === "string") needOneOf(where, "cost", cost, ["flops", "seconds"]);
  if (data.length === 0) throw new RangeError(`${where}: at least one example is required, got an empty table`);
  const pieces = piecesOf(where, network);
  const links = linksOf(pieces);
  if (links.length === 0)
    throw new TypeError(`${where}: a network with convolutions in its row of layers is required, got one without`);
  const costs = costsOf(pieces, links, network.input, cost);
  const can = (from: number, to: number): boolean =>
    to - from === 1 ||
    (to - from <= longest && links.slice(from, to).every(({ pad, joined }, i) => pad !== null && (i === 0 || joined)));
  const costOf = (from: number, to: number): number => (can(from, to) ? costs(from, to) : Number.POSITIVE_INFINITY);
  const has = (position: number): boolean => position === 0 || links[position - 1]!.activation !== null;
  const own = accuracyOf(network, data);
  const worths = new Map<string, number>();
  for (let from = 0; from < links.length; from++)
    for (let to = from + 1; to <= links.length && can(from, to); to++)
      for (const first of [0, 1] as const)
        for (const last of [0, 1] as const) {
          if ((first === 1 && !has(from)) || (first === 0 && from === 0) || (last === 1 && !has(to))) continue;
          const gone = [from, to].filter((at, i) => has(at) && [first, last][i] === 0);
          for (let at = from + 1; at < to; at++) if (has(at)) gone.push(at);
          const key = `${from} ${to} ${first} ${last}`;
          worths.set(key, gone.length === 0 ? 0 : (await tried(gone, [from, to])) - own);
        }
  const worth = (from: number, to: number, first: Bit, last: Bit): number =>
    worths.get(`${from} ${to} ${first} ${last}`) ?? Number.NEGATIVE_INFINITY;
  const before = links.reduce((sum, _, i) => sum + costs(i, i + 1), 0);
  const plan = depthPlan({ count: links.length, cost: costOf, worth }, budget * before, levels);
  if (plan === null)
    throw new RangeError(
      `${where}: a budget that some way of merging keeps is required, got ${budget}; raise it, or the levels`,
    );
  const gone = links.flatMap((_, i) => (has(i + 1) && !plan.activations.includes(i + 1) ? [i + 1] : []));
  const unmerged = without(gone, plan.merges);
  const merge = (from: TrainedNetwork): TrainedNetwork => mergeAll(where, from, plan.merges);
  const made = merge(unmerged);
  return {
    ...cut("depth", { budget, cost: typeof cost === "string" ? cost : "a function", levels }, network, made, data),
    unmerged,
    merge,
    activations: plan.activations,
    merges: plan.merges,
    cost: [before, plan.cost],
  };

  /** The accuracy without some activations. */
  async function tried(gone: readonly number[], group: readonly [number, number]): Promise<number> {
    const start = without(gone, [group]);
    const end = tune === undefined ? start : await tune(start);
    const found = accuracyOf(end, data);
    start.dispose();
    if (end !== start) end.dispose();
    return found;
  }

  /** The network without some activations, the zeros around images put before groups of convolutions. */
  function without(gone: readonly number[], groups: readonly (readonly [number, number])[]): TrainedNetwork {
    const dropped = new Set(gone.map((position) => links[position - 1]!.activation!));
    const next = [...pieces];
    for (const [from, to] of groups) {
      const group = links.slice(from, to);
      if (group.length > 1)
        for (const [i, { conv: at }] of group.entries())
          next[at] = repadded(next[at]!, i === 0 ? paddingOf(pieces, group) : 0);
    }
    return tidied(() =>
      networkOf(
        network,
        next.filter((_, at) => !dropped.has(at)),
      ),
    );
  }
}

/** The network with each group of convolutions as one. */
function mergeAll(
  where: string,
  network: TrainedNetwork,
  groups: readonly (readonly [number, number])[],
): TrainedNetwork {
  return tidied(() => {
    const pieces = piecesOf(where, network);
    const links = linksOf(pieces);
    const next: (Piece | null)[] = [...pieces];
    for (const [from, to] of groups) {
      if (to - from === 1) continue;
      const group = links.slice(from, to);
      for (const { conv: at, norm } of group) {
        next[at] = null;
        if (norm !== null) next[norm] = null;
      }
      next[group[0]!.conv] = mergedConv(pieces, group);
    }
    return networkOf(
      network,
      next.filter((piece) => piece !== null),
    );
  });
}

/** What one convolution in the place of several costs. */
function costsOf(
  pieces: readonly Piece[],
  links: readonly Link[],
  input: Shape,
  cost: NonNullable<DepthOptions["cost"]>,
): (from: number, to: number) => number {
  const shapes: Shape[] = [];
  let shape = input;
  for (const { layer } of pieces) {
    shapes.push(shape);
    shape = layer.shape(shape);
  }
  const known = new Map<string, number>();
  const price = cost === "flops" ? flopsOf : cost === "seconds" ? secondsOf : cost;
  return (from, to) => {
    const key = `${from} ${to}`;
    const group = links.slice(from, to);
    const [first, last] = [pieces[group[0]!.conv]!, pieces[group.at(-1)!.conv]!];
    const { window, stride } = windowOf(pieces, group);
    const layer =
      group.length === 1
        ? first.layer
        : conv(optionsOf(last).filters, window, { stride, pad: paddingOf(pieces, group) });
    const found = known.get(key) ?? price(layer, shapes[group[0]!.conv]!);
    known.set(key, found);
    return found;
  };
}

function flopsOf(layer: Layer, input: Shape): number {
  const { window, groups = 1 } = layer.options as { readonly window: number; readonly groups?: number };
  const [height, width, filters] = layer.shape(input) as readonly [number, number, number];
  return (2 * window * window * input[2]! * filters * height * width) / groups;
}

/** The median time of nine passes of 32 images of zeros. */
function secondsOf(layer: Layer, input: Shape): number {
  const x = tf.zeros([32, ...input]);
  const { window, filters, groups = 1 } = layer.options as Record<string, number>;
  const params: Params = {
    kernel: tf.ones([window!, window!, input[2]! / groups, filters!]),
    bias: tf.zeros([filters!]),
  };
  const pass = jit((x: tf.Tensor, params: Params) => tf.relu(layer.apply(x, params, tape(false, null, {}).mode)), {
    name: "seconds",
  });
  const times = Array.from({ length: 11 }, () => {
    const begun = performance.now();
    const y = pass(x, params);
    y.dataSync();
    y.dispose();
    return performance.now() - begun;
  });
  disposeTree([x, params] as unknown as Tree);
  return times.slice(2).sort((a, b) => a - b)[4]! / 1000;
}
