import { cloneTree, mapTensors, type Rng, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Network } from "../../models/network.ts";
import { type BlockPath, blocksOf } from "../parts/blocks.ts";
import { normalised } from "../parts/distillation.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, type Prefix, prefixedAt, queryOf, withAdded } from "../parts/prompts.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Components of an experience in one layer: prompts `[count, length · width]`, keys and attentions `[count, features]`. A type, so that it is
 * a tree of tensors.
 */
type Components = { readonly prompt: tf.Tensor; readonly key: tf.Tensor; readonly attention: tf.Tensor };
type ByLayer = { readonly [layer: string]: Components };

interface Memory {
  /** `[1, columns]` of the experience, and the components of those before, which are trained no more. */
  readonly tensors: { readonly open?: tf.Tensor; readonly past?: ByLayer };
}

/**
 * CODA-Prompt: prefixes for a frozen network that are sums of components, weighed for each example by how well its features, seen through an
 * attention of the component's own, fit the component's key.
 *
 * In each of the first layers of attention the prefix is `Σ_m cos(q ⊙ A_m, K_m) P_m`, the first half of its length keys, the second values; q
 * are the network's features without prefixes. Every experience adds `components` of them, begun orthogonal to those before and to each
 * other; the others stay as they are. The loss is the cross-entropy among the classes of the experience plus `ortho ·` the mean squares of `K
 * Kᵀ − I`, `A Aᵀ − I` and `P Pᵀ − I`. Memory and work grow with the number of experiences.
 *
 * Smith et al. 2023, arXiv:2211.13218, eq. 3–9; the program GT-RIPL/CODA-Prompt, as in sun-hailong/LAMDA-PILOT.
 * Differs from the paper: where a space has no more directions, new components begin orthogonal to none.
 *
 * @example
 * ```ts
 * import { codaPrompt } from "thalweg";
 * codaPrompt({ components: 10, length: 8, layers: 5, ortho: 0.1 });
 * ```
 */
export const codaPrompt = strategy(
  "codaPrompt",
  {
    /** Components that each experience adds. */
    components: 10,
    /** Vectors in each: an even number, half of them keys and half values. */
    length: 8,
    /** How many layers of attention, from the first, have prefixes. */
    layers: 5,
    /** Strength of the pull of components, keys and attentions towards orthogonality. */
    ortho: 0,
  },
  ({ components, length, layers, ortho }) => {
    requireWhole("codaPrompt", "components", components, 1);
    requireWhole("codaPrompt", "length", length, 2);
    if (length % 2 !== 0) throw new RangeError(`codaPrompt: an even length is required, got ${length}`);
    requireWhole("codaPrompt", "layers", layers, 1);
    requireNumber("codaPrompt", "ortho", ortho, 0);
    const pathsOf = (network: Network): readonly BlockPath[] => blocksOf(network).paths.slice(0, layers);
    /** New components, orthogonal to those before. */
    const drawn = (network: Network, rng: Rng, past?: ByLayer): ByLayer => {
      const wide = { prompt: length * blocksOf(network).width, key: network.width[0]!, attention: network.width[0]! };
      return Object.fromEntries(
        pathsOf(network).map((_, layer) => {
          const part = (name: keyof Components): tf.Tensor =>
            orthogonal(rng.at(name, layer), components, wide[name], past?.[layer]?.[name]);
          return [layer, { prompt: part("prompt"), key: part("key"), attention: part("attention") }];
        }),
      );
    };
    return {
      attention: true,
      tokens: "it gives one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, rng }) => drawn(network, rng.at(0)),
      init: (): Memory => ({ tensors: {} }),
      beforeExperience({ tensors }: Memory, experience, context) {
        const open = openColumns(experience, context);
        if (experience.index === 0) return { tensors: { open } };
        const own = context.weights.added!.codaPrompt as ByLayer;
        const past = tensors.past === undefined ? cloneTree(own) : scoped(() => joined(tensors.past!, own));
        const fresh = drawn(context.network, context.rng.at(experience.index), past);
        return { tensors: { open, past }, weights: withAdded(context.weights, "codaPrompt", fresh), restart: true };
      },
      forward({ tensors }, pass) {
        const own = addedBy<ByLayer>(pass, "codaPrompt");
        const all = tensors?.past === undefined ? own : joined(tensors.past, own);
        const query = queryOf(pass);
        const found = pathsOf(pass.network).map((path, layer): [BlockPath, Prefix] => [
          path,
          prefixOf(all[layer]!, query, length),
        ]);
        const term = ortho === 0 ? tf.scalar(0) : penalty(all);
        return { ...pass.plain(prefixedAt(Object.fromEntries(found))), aside: { penalty: term } };
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      ...(ortho > 0 && { loss: (_state: Memory, { aside }) => tf.mul(aside.penalty!, ortho) as tf.Scalar }),
    };
  },
  ["boundary"],
);

/** Components of experiences before with those of one more. */
function joined(past: ByLayer, own: ByLayer): ByLayer {
  return mapTensors(
    (a: tf.Tensor, b?: tf.Tensor) => tf.concat([a, b!], 0),
    past as Tree,
    own as Tree,
  ) as unknown as ByLayer;
}

/** `[n, length / 2, width]` keys and values: the components, each weighed by `cos(q ⊙ A, K)`. */
function prefixOf({ prompt, key, attention }: Components, query: tf.Tensor2D, length: number): Prefix {
  const [n] = query.shape;
  const seen = normalised(tf.mul(tf.expandDims(query, 1), tf.expandDims(attention, 0)));
  const weight = tf.sum(tf.mul(seen, tf.expandDims(normalised(key), 0)), 2) as tf.Tensor2D;
  const rows = tf.reshape(tf.matMul(weight, prompt as tf.Tensor2D), [n, length, prompt.shape[1]! / length]);
  const [keys, values] = tf.split(rows, 2, 1);
  return { key: keys!, value: values! };
}

/** The mean squares of `B Bᵀ − I` for the components, keys and attentions of all layers, added up. */
function penalty(all: ByLayer): tf.Tensor {
  const terms = Object.values(all).flatMap((parts) =>
    [parts.key, parts.attention, parts.prompt].map((rows) => {
      const gram = tf.matMul(rows as tf.Tensor2D, rows as tf.Tensor2D, false, true);
      return tf.mean(tf.square(tf.sub(gram, tf.eye(rows.shape[0]!))));
    }),
  );
  return tf.addN(terms);
}

/** Rows of length 1 that are drawn, and made orthogonal to others and to each other as far as the space has directions (Gram and Schmidt). */
function orthogonal(rng: Rng, count: number, width: number, before?: tf.Tensor): tf.Tensor2D {
  const past = before === undefined ? [] : rowsOf(before, width);
  const made: Float32Array[] = [];
  for (let k = 0; k < count; k++) {
    const row = Float32Array.from({ length: width }, () => 0);
    const draw = rng.at("row", k);
    for (let j = 0; j < width; j++) row[j] = draw.normal();
    const others = [...past, ...made];
    if (others.length < width)
      for (const other of others) {
        const size = other.reduce((s, v) => s + v * v, 0);
        const along = other.reduce((s, v, j) => s + v * row[j]!, 0) / Math.max(size, 1e-12);
        for (let j = 0; j < width; j++) row[j]! -= along * other[j]!;
      }
    const size = Math.hypot(...row) || 1;
    made.push(row.map((v) => v / size));
  }
  const all = new Float32Array(count * width);
  for (const [k, row] of made.entries()) all.set(row, k * width);
  return tf.tensor2d(all, [count, width]);
}

function rowsOf(matrix: tf.Tensor, width: number): Float32Array[] {
  const all = matrix.dataSync() as Float32Array;
  return Array.from({ length: all.length / width }, (_, i) => all.slice(i * width, (i + 1) * width));
}
