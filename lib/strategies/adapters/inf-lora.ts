import { type Examples, gather } from "../../data/dataset.ts";
import { disposeTree, jit, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import { type Params, type Tap, tape } from "../../models/model.ts";
import { blocksOf } from "../parts/blocks.ts";
import { type Directions, renewed, strongest, without } from "../parts/dual-memory.ts";
import { productsOf, productsWith } from "../parts/low-rank.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Tensors by product: "0-key". */
type ByProduct = { readonly [name: string]: tf.Tensor };
interface Memory {
  /** By block. */
  readonly directions: readonly Directions[];
  readonly tensors: {
    readonly open?: tf.Tensor;
    /** The way down of the experience's change, `[width, rank]`, which is not trained; and the sum of the changes before, `[width, width]`. */
    readonly down?: ByProduct;
    readonly past?: ByProduct;
  };
}

/**
 * InfLoRA: low-rank changes of a frozen network's attention, whose way down is not learnt but chosen so that what was learnt before is not
 * disturbed.
 *
 * Before an experience the second moments of what comes into the keys and values of each block are taken over its examples; without the
 * directions that past gradients used, their strongest `rank` directions divided by √3 are the way down A. Only the way up B is trained, with
 * the cross-entropy among the classes of the experience; afterwards `A B` is added to the changes before. Directions of the past are those
 * that hold a share of the inputs' squared length, growing from `from` to `to` over the stream; once they are more than half, the others are
 * kept in their place (DualGPM).
 *
 * Liang and Li 2024, arXiv:2404.00228, eq. 5–9 and algorithm 1; the defaults are those of the program liangyanshuo/InfLoRA for split CIFAR-100.
 * Differs from the paper: moments are taken over at most `samples` examples.
 *
 * @example
 * ```ts
 * import { infLora } from "thalweg";
 * infLora({ rank: 10, from: 0.95 });
 * ```
 */
export const infLora = strategy(
  "infLora",
  {
    /** Rank of each change. */
    rank: 10,
    /** The share of the squared length of inputs that the kept directions hold, in the first experience and after the last. */
    from: 0.95,
    to: 1,
    /** Examples of an experience that moments are taken over. */
    samples: 256,
  },
  ({ rank, from, to, samples }) => {
    requireWhole("infLora", "rank", rank, 1);
    requireNumber("infLora", "from", from, 0, 1);
    requireNumber("infLora", "to", to, from, 1);
    requireWhole("infLora", "samples", samples, 1);
    const parts = ["key", "value"];
    return {
      attention: true,
      classes: true,
      tokens: "it is for networks that give one vector for each example",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network }): Params =>
        Object.fromEntries(productsOf(network, parts).map((name) => [name, tf.zeros([rank, blocksOf(network).width])])),
      init: (): Memory => ({ directions: [], tensors: {} }),
      beforeExperience({ directions, tensors }: Memory, experience, context) {
        const { weights } = context;
        const up = weights.added!.infLora as ByProduct;
        const past = tensors.down === undefined ? tensors.past : scoped(() => sum(tensors, up));
        const none = scoped(() => mapTensors((t: tf.Tensor) => tf.zerosLike(t), up));
        const now = withAdded(weights, "infLora", none as Params);
        const moments = momentsOf(experience.train, samples, past === undefined ? {} : { past }, none, context);
        const down: Record<string, tf.Tensor> = {};
        moments.forEach((moment, block) => {
          const rows = strongest(without(moment, directions[block]), rank);
          for (const part of parts) down[`${block}-${part}`] = columnsOf(rows, rank, 1 / Math.sqrt(3));
        });
        const open = openColumns(experience, context);
        return {
          directions,
          tensors: { open, down, ...(past !== undefined && { past }) },
          weights: now,
          ...(experience.index > 0 && { restart: true }),
        };
      },
      forward({ tensors }, pass) {
        if (tensors?.down === undefined) return pass.plain();
        return pass.plain(within(pass.network, tensors, addedBy<ByProduct>(pass, "infLora")));
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      afterExperience({ directions, tensors }: Memory, { index }, context): Memory {
        const { train } = context.stream.experience(index);
        if (train.length === 0) return { directions, tensors };
        const share = from + ((to - from) * index) / context.stream.length;
        const moments = momentsOf(train, samples, tensors, context.weights.added!.infLora as ByProduct, context);
        return { directions: moments.map((moment, block) => renewed(directions[block], moment, share)), tensors };
      },
    };
  },
  ["boundary", "length"],
);

/** *Traced.* The changes before and that of the experience, added to keys and values. */
function within(network: Context["network"], { down, past }: Memory["tensors"], up: ByProduct) {
  return productsWith(network, (name, rows) => {
    if (up[name] === undefined) return null;
    const terms = [
      ...(past === undefined ? [] : [tf.matMul(rows, past[name] as tf.Tensor2D)]),
      ...(down === undefined ? [] : [tf.matMul(tf.matMul(rows, down[name] as tf.Tensor2D), up[name] as tf.Tensor2D)]),
    ];
    return terms.length === 0 ? null : tf.addN(terms);
  });
}

/** The changes before with the last one: new tensors. */
function sum({ down, past }: Memory["tensors"], up: ByProduct): ByProduct {
  return Object.fromEntries(
    Object.entries(up).map(([name, u]) => {
      const own = tf.matMul(down![name] as tf.Tensor2D, u as tf.Tensor2D);
      return [name, past === undefined ? own : tf.add(past[name]!, own)];
    }),
  );
}

/** The second moments of what comes into the keys of each block, over some examples: matrices, row after row. */
function momentsOf(
  examples: Examples,
  samples: number,
  tensors: Pick<Memory["tensors"], "down" | "past">,
  up: ByProduct,
  { network, weights, statistics, rng, experience }: Context,
): Float64Array[] {
  const { paths, width } = blocksOf(network);
  const at = rng.at("moments", experience).sample(examples.length, Math.min(samples, examples.length));
  const read = jit(
    (model: Params, own: { readonly tensors: Tree; readonly up: Tree }, x: tf.Tensor) => {
      const found: tf.Tensor[] = [];
      const { tap } = within(network, own.tensors as Memory["tensors"], own.up as ByProduct);
      const noting: Tap = (path, input, output, rows) => {
        if (path.at(-1) === "key" && paths.includes(path.slice(0, -1).join("/")))
          found.push(tf.matMul(input as tf.Tensor2D, input as tf.Tensor2D, true, false));
        return tap(path, input, output, rows);
      };
      network.model.apply(model, x, tape(false, null, statistics, noting).mode);
      return found;
    },
    { name: "moments" },
  );
  const sums = paths.map(() => new Float64Array(width * width));
  for (let start = 0; start < at.length; start += 64) {
    const rows = at.slice(start, start + 64);
    const x = tf.tensor(gather(examples, rows), [rows.length, ...examples.shape]);
    const { down, past } = tensors;
    const own = { ...(down && { down }), ...(past && { past }) };
    const found = read(weights.model, { tensors: own as Tree, up: up as Tree }, x);
    for (const [block, moment] of found.entries())
      for (const [i, v] of moment.dataSync().entries()) sums[block]![i]! += v / at.length;
    disposeTree([x, ...found]);
  }
  return sums;
}

/** The first `count` directions as columns, each times a number; zeros where there are not as many. */
function columnsOf(rows: readonly Float64Array[], count: number, times: number): tf.Tensor {
  const width = rows[0]!.length;
  const data = new Float32Array(width * count);
  for (const [k, row] of rows.slice(0, count).entries())
    for (let j = 0; j < width; j++) data[j * count + k] = row[j]! * times;
  return tf.tensor2d(data, [width, count]);
}
