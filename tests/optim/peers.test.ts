import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Tree, tf } from "../../lib/engine/index.ts";
import { applyUpdates, type Optimizer } from "../../lib/optim/index.ts";
import * as optimizers from "../../lib/optim/optimizers/index.ts";

type Numbers = { readonly kernel: number[]; readonly bias?: number[] };
const peers = JSON.parse(readFileSync(new URL("./peers/torch.json", import.meta.url), "utf8")) as {
  readonly [part in "start" | "target" | "noise" | "curvature"]: Numbers;
} & { readonly ended: Record<string, { readonly options: object; readonly weights: Numbers }> };

const tree = ({ kernel, bias }: Numbers): { readonly kernel: tf.Tensor; readonly bias: tf.Tensor } => ({
  kernel: tf.tensor2d(kernel, [4, 3]),
  bias: tf.tensor1d(bias ?? []),
});

/** adamw takes adam's corrections, whose powers of 0.999 are in single precision. */
const within: Record<string, number> = { adamw: 6e-6 };

describe("twenty steps of an optimizer lead where those of PyTorch and pytorch_optimizer do", () => {
  test.each(Object.entries(peers.ended))("%s", (name, { options, weights }) => {
    const make = (optimizers as unknown as Record<string, (options: object) => Optimizer>)[name.split(" ")[0]!]!;
    const optimizer = make(options);
    const [target, noise, curvature] = [tree(peers.target), tree(peers.noise), tree(peers.curvature)];
    let w = tree(peers.start);
    let state = optimizer.init(w);
    for (let step = 0; step < 20; step++) {
      const gradient = (part: "kernel" | "bias"): tf.Tensor =>
        tf.add(tf.mul(curvature[part], tf.sub(w[part], target[part])), tf.mul(noise[part], Math.sin(step)));
      const grads = { kernel: gradient("kernel"), bias: gradient("bias") };
      const [updates, next] = optimizer.update(grads, state, w, tf.scalar(optimizer.rate));
      [w, state] = [applyUpdates(w, updates as typeof w), next as Tree];
    }
    for (const part of ["kernel", "bias"] as const) {
      const ours = [...w[part].dataSync()];
      for (const [i, theirs] of (weights[part] ?? []).entries())
        expect(Math.abs(ours[i]! - theirs)).toBeLessThan(within[name] ?? 2e-6);
    }
  });
});
