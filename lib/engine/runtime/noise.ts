/** Noise in compiled functions: drawn on the host before each run, in the order and with the numbers of a plain call. */
import type * as tf from "@tensorflow/tfjs-core";
import { Rng } from "../random.ts";

/** One tensor of noise that a traced function drew. */
export interface Draw {
  readonly source: Source;
  readonly kind: "uniform" | "normal";
  readonly shape: readonly number[];
  readonly a: number;
  readonly b: number;
}
/** Where a generator comes from: an argument of the call, or a child of another generator. */
export type Source =
  | { readonly argument: number }
  | { readonly parent: Source; readonly names: readonly (string | number)[] };

/** A generator inside a trace: tensors drawn from it are inputs, and host draws are errors, for they would be frozen. */
export class TracedRng extends Rng {
  readonly #source: Source;
  readonly #draw: (draw: Draw) => tf.Tensor;

  constructor(rng: Rng, source: Source, draw: (draw: Draw) => tf.Tensor) {
    super(rng.key);
    this.#source = source;
    this.#draw = draw;
  }
  override at(...names: readonly (string | number)[]): Rng {
    return new TracedRng(super.at(...names), { parent: this.#source, names }, this.#draw);
  }
  override uniforms(shape: readonly number[], min = 0, max = 1): tf.Tensor {
    return this.#draw({ source: this.#source, kind: "uniform", shape, a: min, b: max });
  }
  override normals(shape: readonly number[], mean = 0, deviation = 1): tf.Tensor {
    return this.#draw({ source: this.#source, kind: "normal", shape, a: mean, b: deviation });
  }
  override uint32(): number {
    throw new Error(
      "a random number was drawn on the host, which would be the same at every call; draw tensors (rng.uniforms, rng.normals), or draw the number outside and pass it as an argument",
    );
  }
}

/** Draws the noise of one call; generators go on from draw to draw as they do in a plain call. */
export class NoiseFeed {
  readonly #draws: readonly Draw[];
  constructor(draws: readonly Draw[]) {
    this.#draws = draws;
  }
  /** Gives the numbers of every draw to `put`, which says where they go. */
  fill(given: readonly Rng[], target: (draw: number) => Float32Array): void {
    const generators = new Map<Source, Rng>();
    const generator = (source: Source): Rng => {
      if ("argument" in source) return given[source.argument]!;
      let rng = generators.get(source);
      if (!rng) generators.set(source, (rng = generator(source.parent).at(...source.names)));
      return rng;
    };
    this.#draws.forEach(({ source, kind, a, b }, i) => {
      const rng = generator(source);
      if (kind === "uniform") rng.fillUniform(target(i), a, b);
      else rng.fillNormal(target(i), a, b);
    });
  }
}

/** The outermost operation of TensorFlow.js among the callers that draws on the host, or null. Its functions end in an underscore. */
export function randomCaller(callers: readonly string[]): string | null {
  const drawing = /^(?:\w+\.)?(rand|random\w*|truncatedNormal|multinomial|dropout)_$/;
  const found = callers.map((name) => drawing.exec(name)?.[1]).filter((name) => name !== undefined);
  return found.length > 0 ? `tf.${found.at(-1)}` : null;
}
