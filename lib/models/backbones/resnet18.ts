import { type Layer, requireCount } from "../layer.ts";
import { batchNorm, conv, globalPool, read, relu, take, tap } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `resnet18`. */
export interface Resnet18Options {
  /** Filters of the first stage; each of the three later ones has twice as many as the one before. Default 20, the slim network. */
  readonly filters?: number;
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
  const normal = (count: number, window: number, stride = 1): Layer[] => [
    conv(count, window, { stride, bias: false }),
    batchNorm(),
  ];
  const blocks = [1, 2, 4, 8].flatMap((times, stage) =>
    [0, 1].flatMap((at): NamedPart[] => {
      const [count, stride, name] = [
        filters * times,
        stage > 0 && at === 0 ? 2 : 1,
        `stage${stage + 1}-block${at + 1}`,
      ];
      const [body, skip] = [`${name}-body`, `${name}-skip`];
      const back: NamedPart[] = [
        [`${name}-out`, tap(body)],
        [`${name}-back`, take(name)],
        [skip, normal(count, 1, stride)],
      ];
      return [
        [`${name}-in`, tap(name)],
        [body, [...normal(count, 3, stride), relu(), ...normal(count, 3)]],
        ...(stride === 1 ? [] : back),
        [`${name}-sum`, read(stride === 1 ? name : body, { join: "add" })],
        [`${name}-relu`, relu()],
      ];
    }),
  );
  const stem: NamedPart = ["stem", [...normal(filters, 3), relu()]];
  return named<"image">("resnet18", { filters }, [stem, ...blocks, ["mean", globalPool()]]);
}
