import type { Shape } from "../../data/dataset.ts";
import { tf, tfLayers } from "../../engine/index.ts";
import { requireCount } from "../layer.ts";
import type { Mode, Model, Params } from "../model.ts";
import { net } from "../net.ts";
import { makeModel } from "../verbs.ts";

/** Options of `resnet18`. */
export interface Resnet18Options {
  /** Filters of the first stage; each of the three later ones has twice as many as the one before. Default 20, the slim network. */
  readonly filters?: number;
}

/** A part of the network: what it does to an image, under its name in the weights. */
type Part = readonly [name: string, model: Model];

/** Two convolutions beside what passes them by: nothing on the way if it fits, else a convolution of 1×1. */
interface Block {
  readonly name: string;
  readonly body: Part;
  readonly skip: Part | null;
}

/**
 * A residual network of 18 layers for small images: a stem of 3×3 without pooling, four stages of two blocks of two convolutions, each
 * with batch normalisation, and the mean over what is left of the image.
 *
 * Takes images `[n, height, width, channels]`, gives `[n, 8 · filters]`. With 20 filters it is the slim network of the literature on
 * online continual learning, 1.09 million parameters and a head; with 64 the full one.
 *
 * He et al. 2016, arXiv:1512.03385; the slim one is that of Lopez-Paz and Ranzato 2017, arXiv:1706.08840.
 * Differs from the paper: a stem for small images; where an image of even size is halved, the zeros around it are at its end alone.
 *
 * @example
 * ```ts
 * import { resnet18 } from "thalweg";
 * resnet18().features([32, 32, 3]); // [160]
 * ```
 */
export function resnet18({ filters = 20 }: Resnet18Options = {}): Model<"image"> {
  requireCount("resnet18", "filters", filters);
  const stem: Part = ["stem", net().conv(filters, 3, { bias: false }).batchNorm().relu()];
  const blocks = [1, 2, 4, 8].flatMap((times, stage) =>
    [0, 1].map((at): Block => {
      const [count, stride] = [filters * times, stage > 0 && at === 0 ? 2 : 1];
      const body = net()
        .conv(count, 3, { stride, bias: false })
        .batchNorm()
        .relu()
        .conv(count, 3, { bias: false })
        .batchNorm();
      const skip = net().conv(count, 1, { stride, bias: false }).batchNorm();
      const name = `stage${stage + 1}-block${at + 1}`;
      return { name, body: [`${name}-body`, body], skip: stride === 1 ? null : [`${name}-skip`, skip] };
    }),
  );

  /** Goes through the parts, by what each does and how the two ways through a block are joined. */
  function through<T>(x: T, pass: (part: Part, x: T) => T, join: (a: T, b: T, block: Block) => T): T {
    return blocks.reduce(
      (now, block) => join(pass(block.body, now), block.skip === null ? now : pass(block.skip, now), block),
      pass(stem, x),
    );
  }
  /** Each part with the shape of what it takes. */
  function parts(input: Shape): (readonly [name: string, model: Model, shape: Shape])[] {
    const met: (readonly [string, Model, Shape])[] = [];
    const pass = ([name, model]: Part, shape: Shape): Shape => {
      met.push([name, model, shape]);
      return model.features(shape);
    };
    through<Shape>(input, pass, (a) => a);
    return met;
  }
  const each = (input: Shape, make: (part: Model, shape: Shape, name: string) => Params): Params =>
    Object.fromEntries(parts(input).map(([name, part, shape]) => [name, make(part, shape, name)]));
  const of = (tree: Params, name: string): Params => (tree[name] ?? {}) as Params;

  const spec = { name: "resnet18", options: { filters } };
  return makeModel<"image">({
    spec,
    accepts: ["image"],
    features: (input) => {
      parts(input);
      return [8 * filters];
    },
    init: (rng, input) => each(input, (part, shape, name) => part.init(rng.at(name), shape)),
    statistics: (input) => each(input, (part, shape) => part.statistics(shape)),
    apply(params, x, mode: Mode) {
      const pass = ([name, part]: Part, now: tf.Tensor): tf.Tensor => part.apply(of(params, name), now, mode.at(name));
      return tf.mean(
        through(x, pass, (a, b) => tf.relu(tf.add(a, b))),
        [1, 2],
      );
    },
    counterpart(x, at, params, statistics) {
      const pass = ([name, part]: Part, now: tfLayers.SymbolicTensor): tfLayers.SymbolicTensor =>
        part.counterpart!(now, `${at}${name}-`, of(params, name), of(statistics, name));
      const { layers } = tfLayers;
      const last = through(x, pass, (a, b, { name }) => {
        const sum = layers.add({ name: `${at}${name}-sum` }).apply([a, b]);
        return layers.reLU({ name: `${at}${name}-relu` }).apply(sum) as tfLayers.SymbolicTensor;
      });
      return layers.globalAveragePooling2d({ name: `${at}mean` }).apply(last) as tfLayers.SymbolicTensor;
    },
    summary: (input) =>
      parts(input).flatMap(([name, part, shape]) =>
        part.summary(shape).map((row) => ({ ...row, layer: `${name}: ${row.layer}`, path: [name, ...row.path!] })),
      ),
    toJSON: () => spec,
  });
}
