/** Small language models of one text, the comments and types of TypeScript's library: what their loss on text that was held out comes to. */
import { readFileSync } from "node:fs";
import {
  adam,
  disposeTree,
  jit,
  type Model,
  network,
  nn,
  type Optimizer,
  random,
  type Tree,
  tape,
  tf,
  valueAndGrad,
  type Weights,
} from "../../../lib/index.ts";

/** How many tokens there are: new line, the characters from " " to "~", and all others. */
export const tokens = 97;
const text = readFileSync(new URL("../../../node_modules/typescript/lib/lib.es5.d.ts", import.meta.url), "utf8");
const codes = Uint8Array.from(text.slice(text.indexOf("/**")), (char) => {
  const code = char.charCodeAt(0);
  return code === 10 ? 0 : code >= 32 && code < 127 ? code - 31 : 96;
});
const held = Math.floor(codes.length * 0.9);

/** What a language model is trained with. */
export interface Language {
  readonly seeds: number;
  readonly steps?: number;
  readonly length?: number;
  readonly batch?: number;
  readonly rate?: number;
  readonly optimizer?: (rate: number) => Optimizer;
  /** Added to the loss, from the logits `[rows, columns]`. */
  readonly besides?: (logits: tf.Tensor) => tf.Tensor;
}

/** `[count, length + 1]` tokens of windows of the text that begin somewhere between two places. */
function windows(seed: number, count: number, length: number, from: number, to: number): tf.Tensor2D {
  const rng = random(seed);
  const rows = Array.from({ length: count }, () => {
    const at = from + rng.int(to - from - length - 1);
    return codes.subarray(at, at + length + 1);
  });
  return tf.tensor2d(Float32Array.from(rows.flatMap((row) => [...row])), [count, length + 1]);
}

/** Trains a language model once for each seed; mean losses in nats at the places of text that was held out, infinite where one did not stay finite. */
export function heldOutLosses(model: Model, given: Language): number[] {
  const { seeds, steps = 200, length = 40, batch = 8, rate = 4e-3, besides } = given;
  const made = network(model, [length]);
  const optimizer = (given.optimizer ?? ((lr) => adam({ lr })))(rate);
  const losses = (weights: Weights, sequences: tf.Tensor, training: boolean): tf.Tensor => {
    const n = sequences.shape[0]!;
    const x = tf.slice(sequences, [0, 0], [n, length]);
    const y = tf.reshape(tf.slice(sequences, [0, 1], [n, length]), [n * length]);
    const { mode } = tape(training, null, made.statistics());
    const logits = tf.reshape(made.logits(weights, made.features(weights, x, mode)), [n * length, tokens]);
    const plain = tf.mean(nn.crossEntropies(logits, y));
    return besides === undefined || !training ? plain : tf.add(plain, besides(logits));
  };
  const step = jit(
    (weights: Weights, state: Tree, lr: tf.Tensor, sequences: tf.Tensor) => {
      const { grads } = valueAndGrad((w: Weights) => losses(w, sequences, true), weights);
      const [updates, next] = optimizer.update(grads as never, state, weights as never, lr);
      return [added(weights as never, updates) as unknown as Weights, next] as const;
    },
    { donate: [0, 1] },
  );
  const test = windows(7, 64, length, held, codes.length);
  const found = Array.from({ length: seeds }, (_, seed) => {
    let weights = made.init(random(seed).at("weights"), tokens);
    let state = optimizer.init(weights as never);
    for (let at = 0; at < steps; at++) {
      // a tenth to warm up, then down along half a cosine
      const share = at < steps / 10 ? at / (steps / 10) : 0.5 + 0.5 * Math.cos((Math.PI * (at / steps - 0.1)) / 0.9);
      const [x, lr] = [windows(1000 * seed + at, batch, length, 0, held), tf.scalar(rate * Math.max(share, 0.01))];
      [weights, state] = step(weights, state, lr, x);
      tf.dispose([x, lr]);
    }
    const loss = tf.tidy(() => losses(weights, test, false).dataSync()[0]!);
    disposeTree([weights, state] as never);
    return Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY;
  });
  test.dispose();
  return found;
}

function added(a: Tree, b: Tree): Tree {
  if (a instanceof tf.Tensor) return tf.add(a, b as tf.Tensor);
  if (Array.isArray(a)) return a.map((each, i) => added(each, (b as readonly Tree[])[i]!));
  return Object.fromEntries(
    Object.entries(a as object).map(([name, each]) => [name, added(each, (b as { [name: string]: Tree })[name]!)]),
  );
}
