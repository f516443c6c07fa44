import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { random, type Tree, tf } from "../../lib/engine/index.ts";
import { applyUpdates, loqt } from "../../lib/optim/index.ts";
import { normalLevels, normalRounded } from "../../lib/optim/parts/normal-float.ts";

type Case = {
  readonly shape: [number, number];
  readonly start: number[];
  readonly gradients: number[][];
  readonly path: number[][];
  readonly merges: number;
};
const peers = JSON.parse(readFileSync(new URL("./peers/loqt.json", import.meta.url), "utf8")) as {
  readonly levels: number[];
  readonly options: object;
  readonly cases: Case[];
};
const inTree = (kernel: tf.Tensor) => ({ model: { one: { kernel } } });
const matrixIn = (tree: Tree): tf.Tensor2D => (tree as ReturnType<typeof inTree>).model.one.kernel as tf.Tensor2D;

describe("loqt (P105 LoQT)", () => {
  test("its levels are the normal distribution's quantiles by SciPy", () => {
    for (const [i, level] of peers.levels.entries()) expect(normalLevels[i]).toBeCloseTo(level, 6);
  });

  test.each(peers.cases)(
    "a matrix $shape goes where NumPy's goes, through merges whose gaps become longer",
    (given) => {
      const { shape, start, gradients, path, merges } = given;
      const optimizer = loqt(peers.options);
      let w = inTree(tf.tensor2d(start, shape));
      let state = optimizer.init(w);
      for (const [at, wanted] of path.entries()) {
        const grads = inTree(tf.tensor2d(gradients[at]!, shape));
        const [updates, next] = optimizer.update(grads, state, w, tf.scalar(optimizer.rate));
        [w, state] = [applyUpdates(w, updates as typeof w), next];
        const ours = matrixIn(w).dataSync();
        for (const [i, value] of wanted.entries()) expect(ours[i]).toBeCloseTo(value, 4);
      }
      const held = state as unknown as { readonly matrices: { readonly merges: tf.Tensor } };
      expect(held.matrices.merges.dataSync()[0]).toBe(merges);
    },
  );

  test("with directions of four bits, B is the least squares of what Q leaves, and Q has four bits", () => {
    const [shape, block, scale] = [[12, 20] as [number, number], 16, 0.5];
    const optimizer = loqt({ rank: 3, block, scale, compensate: 4 });
    const w = inTree(random(1).normals(shape));
    const [updates, next] = optimizer.update(inTree(random(2).normals(shape)), optimizer.init(w), w, tf.scalar(0.1));
    const { held } = (next as unknown as { matrices: { held: Record<string, Record<string, tf.Tensor2D>> } }).matrices;
    const { basis, low } = held["model/one/kernel"]!;
    const close = (a: tf.Tensor, b: tf.Tensor | number): void =>
      expect(tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]).toBeLessThan(2e-5);
    close(normalRounded(basis!, block), basis!);
    const sum = matrixIn(applyUpdates(w, updates as typeof w));
    const q = tf.sub(sum, tf.mul(tf.matMul(basis!, low!), scale)) as tf.Tensor2D;
    close(normalRounded(q, block), q);
    close(tf.matMul(basis!, tf.sub(matrixIn(w), sum) as tf.Tensor2D, true, false), 0);
    const plain = tf.norm(tf.sub(matrixIn(w), normalRounded(matrixIn(w), block))).dataSync()[0]!;
    expect(tf.norm(tf.sub(matrixIn(w), sum)).dataSync()[0]).toBeLessThan(0.95 * plain);
  });

  test("says what it needs", () => {
    expect(() => loqt({ growth: 0.5 })).toThrow("loqt: a growth of at least 1 is required, got 0.5");
    expect(() => loqt({ scale: 0 })).toThrow("loqt: a scale above 0 is required, got 0");
  });
});
