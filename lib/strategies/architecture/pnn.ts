import { sizeOf } from "../../data/dataset.ts";
import { mapTensors, type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { asMatrix, type LayerPath, layerAt, layerPaths, requireChain } from "../parts/layers.ts";
import { movedColumns, ownColumns } from "../parts/own-head.ts";
import type { Context, Pass, Passed } from "../strategy.ts";
import { strategy } from "../strategy.ts";

/** A column: a copy of the model, and its lateral kernels from the columns before, by layer. */
type Column = { readonly model: Params; readonly laterals: { readonly [layer: LayerPath]: tf.Tensor } };

interface Memory {
  /** One number for each column in use: the task it is of. */
  readonly tensors: {
    readonly tasks: readonly tf.Tensor[];
    /** The head's columns of this task. */
    readonly open: tf.Tensor;
  };
  readonly tasks: readonly number[];
}

/**
 * Progressive networks: each task has a column of its own that also sees what the layers of earlier columns give.
 *
 * Layer i of column k gives `W x_i + Σ_{j<k} U_j x_i^{(j)}`, x_i^{(j)} being the input of layer i in column j, for all layers after the
 * first. Only the last column and the task's part of the head are trained; the rest stays bit for bit. A test example takes the column of its task. Memory and work per
 * step grow with the number of tasks.
 *
 * Rusu et al. 2016, arXiv:1606.04671, eq. 1. Layers in a row only; lateral connections of a convolution are
 * convolutions of the same windows.
 * Differs from the paper: lateral connections are linear and are summed without the adapters' reduction; the head's columns read the last
 * layer of their own column alone.
 *
 * @example
 * ```ts
 * import { pnn } from "thalweg";
 * pnn();
 * ```
 */
export const pnn = strategy(
  "pnn",
  {},
  () => ({
    tokens: "it needs layers that see an example once, not at each of its places",
    parameters(context: Context): Params {
      requireChain("pnn", context);
      const { weights, stream, rng } = context;
      const paths = layerPaths(context).slice(1, -1);
      return Object.fromEntries(
        Array.from({ length: stream.tasks }, (_, k) => [
          String(k),
          column(context, rng.at("column", k), k, paths, weights),
        ]),
      ) as unknown as Params;
    },
    init: ({ columns }): Memory => ({ tensors: { tasks: [], open: tf.ones([1, columns]) }, tasks: [] }),
    beforeExperience({ tasks }: Memory, { task }, context): Memory {
      if (tasks.includes(task)) throw new TypeError(`pnn: every task may come once, got task ${task} again`);
      const next = [...tasks, task];
      return { tasks: next, tensors: { tasks: next.map((t) => tf.scalar(t)), open: ownColumns(task, context) } };
    },
    rowwise: true,
    forward({ tensors }: Memory, pass): Passed {
      const used = tensors?.tasks ?? [];
      if (used.length === 0) return pass.plain();
      const columns = used.map((_, k) => columnsOf(pass.weights)[String(k)]!);
      const before: { readonly [path: LayerPath]: tf.Tensor }[] = [];
      const outs = columns.map((own) => {
        const out = through(pass, own, before);
        before.push(out.inputs);
        return out;
      });
      const last = outs.at(-1)!;
      if (pass.training || pass.task === null) return last;
      const mine = used.map((t) => tf.cast(tf.equal(tf.cast(pass.task!, "float32"), t), "float32"));
      const known = tf.addN(mine);
      const chosen = (pick: (out: Passed) => tf.Tensor): tf.Tensor => {
        const weigh = (out: tf.Tensor, by: tf.Tensor): tf.Tensor => tf.mul(out, tf.expandDims(by, 1));
        return tf.addN([...outs.map((out, k) => weigh(pick(out), mine[k]!)), weigh(pick(last), tf.sub(1, known))]);
      };
      return { features: chosen((o) => o.features), logits: chosen((o) => o.logits) };
    },
    weights({ tensors }: Memory, { before, after }): Weights {
      const active = String(tensors.tasks.length - 1);
      const pnnBefore = columnsOf(before);
      const pnnAfter = columnsOf(after);
      const kept = Object.fromEntries(
        Object.keys(pnnAfter).map((k) => [k, k === active ? pnnAfter[k]! : mapTensors((w) => w, pnnBefore[k]!)]),
      );
      const head = movedColumns(before.head, after.head, tensors.open);
      return { ...after, head, added: { ...after.added, pnn: kept as unknown as Params } };
    },
  }),
  ["task", "boundary", "length"],
);

function columnsOf(weights: Weights): { readonly [k: string]: Column } {
  return weights.added!.pnn as unknown as { [k: string]: Column };
}

/** A new column: the model drawn anew, and lateral kernels as small as the model's own. */
function column(
  { network, columns }: Context,
  rng: Rng,
  k: number,
  paths: readonly LayerPath[],
  weights: Weights,
): Column {
  const { model, head } = network.init(rng, columns);
  for (const tensor of Object.values(head)) (tensor as tf.Tensor).dispose();
  const laterals: Record<LayerPath, tf.Tensor> = {};
  for (const path of paths) {
    const { shape } = layerAt(weights, path).kernel;
    const bound = 1 / Math.sqrt((sizeOf(shape) / shape.at(-1)!) * (k + 1));
    if (k > 0) laterals[path] = rng.at(path).uniforms([k, ...shape], -bound, bound);
  }
  return { model, laterals };
}

/** One column's pass, with the inputs of its layers. */
function through(
  pass: Pass,
  { model, laterals }: Column,
  before: readonly { readonly [path: LayerPath]: tf.Tensor }[],
): Passed & { readonly inputs: { readonly [path: LayerPath]: tf.Tensor } } {
  const inputs: Record<LayerPath, tf.Tensor> = {};
  const out = pass.plain({ ...pass.weights, model }, (at, _input, output, rows) => {
    const path = at.join("/");
    inputs[path] = rows();
    const lateral = laterals[path];
    if (lateral === undefined) return output;
    const kernels = tf.reshape(lateral, [lateral.shape[0]!, -1, lateral.shape.at(-1)!]);
    const kernel = (j: number): tf.Tensor2D => asMatrix(tf.slice(kernels, [j, 0, 0], [1, -1, -1]));
    const given = before.map((earlier, j) => tf.matMul(earlier[path] as tf.Tensor2D, kernel(j)));
    return tf.addN([output, ...given.map((one) => tf.reshape(one, output.shape))]);
  });
  return { ...out, inputs };
}
