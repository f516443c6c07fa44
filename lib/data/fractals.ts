/** Images of fractals, a class for each: pictures without photographs. */
import { type Rng, random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `fractals` can be told. */
export interface FractalsOptions {
  /** Default 10. */
  readonly classes?: number;
  /** Training images of each; default 20. */
  readonly perClass?: number;
  /** Test images of each; default 5. */
  readonly testPerClass?: number;
  /** Default 32. */
  readonly sizePixels?: number;
  /** Points drawn in each image; default 2000. */
  readonly points?: number;
  /** Default 0. */
  readonly seed?: number;
}

type Map2 = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/**
 * Attractors of iterated function systems: a class is a system of 2 to 4 affine maps, an image of it is drawn by a random walk with each
 * map's numbers changed by up to 10 %. A class whose points fall outside, or on less than a tenth of the picture's columns, is drawn anew.
 *
 * H. Kataoka et al., Pre-training without natural images, arXiv:2101.08515, section 3 (FractalDB).
 *
 * @example
 * ```ts
 * import { fractals } from "thalweg";
 * fractals({ classes: 3, perClass: 2 }).shape; // [32, 32, 1]
 * ```
 */
export function fractals(options: FractalsOptions = {}): Dataset<"image"> {
  const o = withDefaults<Required<FractalsOptions>>("fractals", options, {
    classes: 10,
    perClass: 20,
    testPerClass: 5,
    sizePixels: 32,
    points: 2000,
    seed: 0,
  });
  for (const key of ["classes", "perClass", "testPerClass", "sizePixels", "points"] as const)
    needWhole("fractals", key, o[key]);
  const rng = random(o.seed).at("fractals");
  const systems = Array.from({ length: o.classes }, (_, c) => system(o, rng.at("class", c)));
  const part = (perClass: number, name: string) => {
    const size = o.sizePixels ** 2;
    const labels = Int32Array.from({ length: perClass * o.classes }, (_, i) => i % o.classes);
    const x = new Uint8Array(labels.length * size);
    labels.forEach((label, i) => {
      const draw = rng.at(name, i);
      const near = systems[label]!.map(
        (map) => map.map((v) => v * (1 + 0.1 * (2 * draw.uniform() - 1))) as unknown as Map2,
      );
      drawn(near, o, draw, x.subarray(i * size, (i + 1) * size));
    });
    return table(x, labels, [o.sizePixels, o.sizePixels, 1], 1 / 255);
  };
  return makeDataset({
    name: "fractals",
    kind: "image",
    classes: Array.from({ length: o.classes }, (_, i) => `fractal ${i}`),
    train: part(o.perClass, "train"),
    test: part(o.testPerClass, "test"),
    source: `fractals(${JSON.stringify(options)}), made by the library`,
  });
}

/** Maps that shrink, and whose picture fills enough of the square. */
function system(o: Required<FractalsOptions>, rng: Rng): readonly Map2[] {
  for (let attempt = 0; ; attempt++) {
    const draw = rng.at(attempt);
    const maps = Array.from({ length: 2 + draw.int(3) }, (): Map2 => {
      const [turn, lean] = [Math.PI * (2 * draw.uniform() - 1), Math.PI * (2 * draw.uniform() - 1)];
      const [s, t] = [0.3 + 0.5 * draw.uniform(), 0.3 + 0.5 * draw.uniform()];
      return [
        s * Math.cos(turn),
        -t * Math.sin(lean),
        s * Math.sin(turn),
        t * Math.cos(lean),
        2 * draw.uniform() - 1,
        2 * draw.uniform() - 1,
      ];
    });
    const image = new Uint8Array(o.sizePixels ** 2);
    drawn(maps, o, draw, image);
    const columns = new Set<number>();
    image.forEach((v, i) => {
      if (v > 0) columns.add(i % o.sizePixels);
    });
    if (columns.size > o.sizePixels / 2 || attempt === 50) return maps;
  }
}

/** The points of a random walk, fitted into the picture. */
function drawn(
  maps: readonly Map2[],
  { sizePixels, points }: Required<FractalsOptions>,
  rng: Rng,
  out: Uint8Array,
): void {
  // a map that shrinks the plane more is taken less often, so that points lie evenly
  const weights = maps.map(([a, b, c, d]) => Math.abs(a * d - b * c) + 0.01);
  const total = weights.reduce((sum, w) => sum + w, 0);
  const [xs, ys] = [new Float64Array(points), new Float64Array(points)];
  let [x, y] = [0, 0];
  for (let i = -20; i < points; i++) {
    let at = rng.uniform() * total;
    let k = 0;
    while (k < maps.length - 1 && (at -= weights[k]!) >= 0) k++;
    const [a, b, c, d, e, f] = maps[k]!;
    [x, y] = [a * x + b * y + e, c * x + d * y + f];
    if (i >= 0) [xs[i], ys[i]] = [x, y];
  }
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const fit = (v: number, low: number, high: number) =>
    Math.min(sizePixels - 1, Math.floor(((v - low) / (high - low || 1)) * sizePixels));
  if (![left, right, top, bottom].every(Number.isFinite)) return;
  for (let i = 0; i < points; i++) out[fit(ys[i]!, top, bottom) * sizePixels + fit(xs[i]!, left, right)] = 255;
}
