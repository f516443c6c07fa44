/** Spirals that wind around each other. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `spirals` can be told. */
export interface SpiralsOptions {
  /** Default 3. */
  readonly classes?: number;
  /** Training examples of each; default 200. */
  readonly perClass?: number;
  /** Test examples of each; default 100. */
  readonly testPerClass?: number;
  /** How often each winds about the middle; default 1. */
  readonly turns?: number;
  /** Standard deviation of the noise of the angle in radians; default 0.1. */
  readonly noise?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * One spiral arm per class, from the middle out to radius 1.
 *
 * @example
 * ```ts
 * import { spirals } from "thalweg";
 * spirals({ classes: 4 }).classes.length; // 4
 * ```
 */
export function spirals(options: SpiralsOptions = {}): Dataset<"vector"> {
  const o = withDefaults<Required<SpiralsOptions>>("spirals", options, {
    classes: 3,
    perClass: 200,
    testPerClass: 100,
    turns: 1,
    noise: 0.1,
    seed: 0,
  });
  for (const key of ["classes", "perClass", "testPerClass"] as const) needWhole("spirals", key, o[key]);
  const part = (perClass: number, name: string) => {
    const rng = random(o.seed).at("spirals", name);
    const x = new Float32Array(2 * perClass * o.classes);
    const labels = new Int32Array(perClass * o.classes);
    for (let i = 0; i < labels.length; i++) {
      const label = (labels[i] = i % o.classes);
      const radius = rng.uniform();
      const angle = 2 * Math.PI * (label / o.classes + o.turns * radius) + o.noise * rng.normal();
      x[2 * i] = radius * Math.cos(angle);
      x[2 * i + 1] = radius * Math.sin(angle);
    }
    return table(x, labels, [2], 1);
  };
  return makeDataset({
    name: "spirals",
    kind: "vector",
    classes: Array.from({ length: o.classes }, (_, i) => String(i)),
    train: part(o.perClass, "train"),
    test: part(o.testPerClass, "test"),
    source: `spirals(${JSON.stringify(options)}), made by the library`,
  });
}
