/** Two moons that lie in each other. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `moons` can be told. */
export interface MoonsOptions {
  /** Training examples of each moon; default 200. */
  readonly perClass?: number;
  /** Test examples of each moon; default 100. */
  readonly testPerClass?: number;
  /** Standard deviation of the noise; default 0.1. */
  readonly noise?: number;
  /** Turns the whole picture; default 0. */
  readonly degrees?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Two half circles of radius 1, one about (0, 0) above, one about (1, ½) below, that no straight line tells apart.
 *
 * @example
 * ```ts
 * import { domains, moons } from "thalweg";
 * domains([0, 30, 60].map((degrees) => moons({ degrees }))).length; // 3
 * ```
 */
export function moons(options: MoonsOptions = {}): Dataset<"vector"> {
  const o = withDefaults<Required<MoonsOptions>>("moons", options, {
    perClass: 200,
    testPerClass: 100,
    noise: 0.1,
    degrees: 0,
    seed: 0,
  });
  for (const key of ["perClass", "testPerClass"] as const) needWhole("moons", key, o[key]);
  const turn = (o.degrees * Math.PI) / 180;
  const part = (perClass: number, name: string) => {
    const rng = random(o.seed).at("moons", name);
    const x = new Float32Array(4 * perClass);
    const labels = new Int32Array(2 * perClass);
    for (let i = 0; i < labels.length; i++) {
      const label = (labels[i] = i % 2);
      const angle = Math.PI * rng.uniform();
      const [a, b] = label === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
      const [px, py] = [a - 0.5 + o.noise * rng.normal(), b - 0.25 + o.noise * rng.normal()];
      x[2 * i] = Math.cos(turn) * px - Math.sin(turn) * py;
      x[2 * i + 1] = Math.sin(turn) * px + Math.cos(turn) * py;
    }
    return table(x, labels, [2], 1);
  };
  return makeDataset({
    name: "moons",
    kind: "vector",
    classes: ["upper", "lower"],
    train: part(o.perClass, "train"),
    test: part(o.testPerClass, "test"),
    source: `moons(${JSON.stringify(options)}), made by the library`,
  });
}
