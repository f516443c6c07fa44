import {
  adam,
  classes,
  digits,
  distil,
  from,
  gpt,
  type Model,
  network,
  prune,
  random,
  type TrainedNetwork,
  table,
  tf,
  trained,
  vit,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { piecesOf } from "../../lib/models/parts/pieces.ts";
import { importanceOf } from "../../lib/prune/minitron.ts";

type Kernels = Record<string, Record<string, Record<string, tf.Tensor>>>;

/** A network of drawn weights in which some parts do nothing: a block, a head and two inner numbers of another one. */
function withIdle(model: Model, input: number[], names: readonly [string, string]): TrainedNetwork {
  const weights = network(model, input).init(random(3), 4);
  const blocks = weights.model as unknown as Kernels;
  const scaled = (node: tf.Tensor, columns: readonly number[], axis: number): tf.Tensor =>
    tf.mul(
      node,
      tf.reshape(
        tf.tensor1d(Array.from({ length: node.shape[axis]! }, (_, i) => (columns.includes(i) ? 0 : 1))),
        axis === 0 && node.rank === 2 ? [-1, 1] : [-1],
      ),
    );
  const [idle, other] = names;
  for (const part of ["out", "down"])
    for (const name of ["kernel", "bias"]) blocks[idle]![part]![name] = tf.zerosLike(blocks[idle]![part]![name]!);
  for (const name of ["kernel", "bias"]) {
    blocks[other]!.value![name] = scaled(
      blocks[other]!.value![name]!,
      [0, 1, 2, 3],
      blocks[other]!.value![name]!.rank - 1,
    );
    blocks[other]!.up![name] = scaled(blocks[other]!.up![name]!, [1, 5], blocks[other]!.up![name]!.rank - 1);
  }
  return trained({ model, input, weights });
}

const numbers = (of: tf.Tensor): number[] => [...of.dataSync()];
const pixels = Float32Array.from(random(1).at("x").normals([6, 64]).dataSync());
const images = table(pixels, new Int32Array(6), [8, 8, 1], 1);

describe("Minitron", () => {
  test("cuts out what does nothing, and the network answers as before", () => {
    const big = withIdle(
      vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }) as never,
      [8, 8, 1],
      ["block1", "block2"],
    );
    const { network: small, report } = prune.minitron(big, images, { depth: 1, heads: 1, inner: 14 });
    expect(small.parameters).toBeLessThan(0.6 * big.parameters);
    expect(report.error).toBeLessThan(1e-9);
    const [a, b] = [big, small].map((own) => numbers(own.predict(images)));
    a!.forEach((value, i) => {
      expect(b![i]).toBeCloseTo(value, 5);
    });
  });

  test("measures an inner number by its size on the mean over places, over examples by the root of squares", () => {
    const big = withIdle(
      vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }) as never,
      [8, 8, 1],
      ["block1", "block2"],
    );
    const pieces = piecesOf("test", big);
    const flat = prune.minitron(big, images).network; // nothing is cut: the same layers, written out
    const { inner, blocks } = importanceOf(flat, pieces, images, 6);
    expect(blocks[0]).toBeCloseTo(0, 6);
    expect(blocks[1]).toBeGreaterThan(1e-4);
    expect([inner[1]![1], inner[1]![5]]).toEqual([0, 0]);
    const wanted = tf.tidy(() => {
      const seen: tf.Tensor[] = [];
      const x = tf.tensor(pixels, [6, 8, 8, 1]);
      const { structure, weights } = flat;
      const mode = (path: string[]): object => ({
        training: false,
        rng: null,
        isTapped: true,
        into: (given: tf.Tensor) => given,
        at: (part: string) => mode([...path, part]),
        around: (given: tf.Tensor, run: (x: tf.Tensor) => tf.Tensor) => run(given),
        attended: (key: tf.Tensor, value: tf.Tensor) => [key, value],
        tapped: (_: tf.Tensor, output: tf.Tensor) => {
          if (path.at(-1) === "up") seen.push(output);
          return output;
        },
      });
      structure.features(weights, x, mode([]) as never);
      const rows = tf.reshape(tf.abs(seen[0]!), [6, -1, 16]);
      return numbers(tf.sqrt(tf.sum(tf.square(tf.mean(rows, 1)), 0))) as never;
    }) as unknown as number[];
    inner[0]!.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 4);
    });
  });

  test("narrows all that passes from block to block, of a text too, and what is left learns on from the large network", async () => {
    const big = withIdle(
      gpt({ tokens: 7, width: 8, depth: 2, heads: 2, widen: 2 }) as never,
      [5],
      ["block1", "block2"],
    );
    const text = table(
      Float32Array.from({ length: 30 }, (_, i) => i % 7),
      new Int32Array(6),
      [5],
      1,
    );
    const small = prune.minitron(big, text, { width: 6, heads: 1, inner: 8 }).network;
    expect(small.predict(tf.zeros([2, 5])).shape).toEqual([2, 5, 4]);
    const { network: half } = prune.minitron(big, text, { depth: 1, heads: 1, inner: 14 });
    const x = tf.tensor2d([[0, 1, 2, 3, 4]]);
    numbers(half.predict(x)).forEach((value, i) => {
      expect(value).toBeCloseTo(numbers(big.predict(x))[i]!, 5);
    });
    const stream = classes(digits()).limit({ train: 60, test: 20 }).split(1);
    const model = vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 });
    const quiet = { quiet: true, record: false } as const;
    const teacher = await (
      await stream
        .learn(model)
        .with(adam({ lr: 0.01 }))
        .train({ epochs: 1 })
        .run(quiet)
    ).network();
    const cut = prune.minitron(teacher, stream.test(0).examples, { depth: 1, width: 6, inner: 8 }).network;
    const on = await stream
      .learn(from(cut, { head: "keep" }))
      .by(distil({ teacher, weight: 1 }))
      .with(adam({ lr: 0.01 }))
      .train({ epochs: 1 })
      .run(quiet);
    expect((await on.network()).parameters).toBe(cut.parameters);
  });

  test("says what it needs", () => {
    const big = withIdle(
      vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }) as never,
      [8, 8, 1],
      ["block1", "block2"],
    );
    expect(() => prune.minitron(big, images, { depth: 3 })).toThrow(
      "prune.minitron: depth of at most 2 is required, got 3",
    );
  });
});
