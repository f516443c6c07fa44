/** DER's growing features: what stays, what is read, and the classifier of the second stage. */
import { describe, expect, test } from "vitest";
import { decode, tf } from "../../lib/engine/index.ts";
import { net } from "../../lib/models/index.ts";
import { derExpand } from "../../lib/strategies/architecture/der-expand.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { open, type Session } from "../../lib/train/session.ts";
import { advance, numbers, run, spec, stream } from "./support.ts";

const over = stream(derExpand as never, 20);

/** Goes on to a phase of an experience. */
function reach(session: Session, experience: number, phase: string): void {
  while (session.cursor.experience < experience || session.cursor.phase !== phase) session.advance();
}

/** A session at the end of an experience, its examples learnt and nothing evaluated. */
function learntTo(experience: number, strategy: Strategy): Session {
  const session = open(spec(over, [strategy]), 0, "test");
  reach(session, experience, "evaluate");
  return session;
}
type Held = Record<string, { model: Record<string, { kernel: tf.Tensor2D; bias: tf.Tensor1D }>; kernel: tf.Tensor2D }>;
const held = (session: Session): Held => session.learner.weights.added!.derExpand as never;

describe("dynamically expandable representation", () => {
  test("extractors of past experiences stay bit for bit, and a new one begins as a copy of the last", () => {
    const session = learntTo(0, derExpand({ capacity: 12 }));
    const first = numbers(held(session)[0]!.model);
    reach(session, 1, "train");
    expect(numbers(held(session)[1]!.model)).toEqual(first);
    reach(session, 1, "evaluate");
    expect(numbers(held(session)[0]!.model)).toEqual(first);
    expect(numbers(held(session)[1]!.model)).not.toEqual(first);
    advance(session);
    expect(numbers(held(session)[0]!.model)).toEqual(first);
    session.dispose();
  });

  test("logits are the features of all extractors side by side times one classifier", () => {
    const session = learntTo(1, derExpand({ capacity: 12, rounds: 0 }));
    const parts = held(session);
    const bias = (session.learner.weights.added!.derExpand as unknown as { bias: tf.Tensor1D }).bias.arraySync();
    const { train } = over.experience(1);
    const x = [0, 1, 2].map((i) => {
      const row = new Float32Array(3);
      train.read([i], row);
      return [...row].map((v) => v * train.scale);
    });
    const through = (row: number[], kernel: number[][], b: number[]): number[] =>
      b.map((start, c) => row.reduce((sum, v, i) => sum + v * kernel[i]![c]!, start));
    const wanted = x.map((row) => {
      const logits = [...bias];
      for (const k of [0, 1]) {
        let at = row;
        for (const { kernel, bias: b } of Object.values(parts[k]!.model))
          at = through(at, kernel.arraySync(), b.arraySync()).map((v) => Math.max(0, v));
        through(at, parts[k]!.kernel.arraySync(), Array(6).fill(0)).forEach((v, c) => {
          logits[c]! += v;
        });
      }
      return logits;
    });
    const strategy = derExpand({ capacity: 12 });
    const inputs = tf.tensor2d(x);
    const plain = (weights: never) => ({
      features: session.network.features(weights, inputs, {
        at: () => ({ tapped: (_: unknown, y: unknown) => y }),
        tapped: (_: unknown, y: unknown) => y,
      } as never),
    });
    const { logits } = strategy.hooks.forward!(
      { tensors: { used: [tf.scalar(0), tf.scalar(1)] } } as never,
      {
        weights: session.learner.weights,
        plain,
      } as never,
    );
    const got = logits.arraySync() as number[][];
    wanted.flat().forEach((value, i) => {
      expect(got.flat()[i]).toBeCloseTo(value, 4);
    });
    session.dispose();
  });

  test("the second stage is at the minimum of the cross-entropy of the exemplars: its slope is nothing but the decay's", () => {
    const decay = 0.01;
    const session = learntTo(1, derExpand({ capacity: 12, rounds: 3000, decay }));
    const { states } = decode(session.save()) as unknown as {
      states: { derExpand: { exemplars: { scale: number; classes: Map<number, Float32Array> } } };
    };
    const parts = held(session);
    const bias = (session.learner.weights.added!.derExpand as unknown as { bias: tf.Tensor1D }).bias.arraySync();
    const kernel = [...parts[0]!.kernel.arraySync(), ...parts[1]!.kernel.arraySync()];
    const rows = [...states.derExpand.exemplars.classes].flatMap(([label, flat]) =>
      Array.from({ length: flat.length / 3 }, (_, i) => ({ label, x: [...flat.subarray(3 * i, 3 * i + 3)] })),
    );
    expect(rows).toHaveLength(12);
    const features = rows.map(({ x }) =>
      [0, 1].flatMap((k) =>
        Object.values(parts[k]!.model).reduce((at, layer) => {
          const w = layer.kernel.arraySync();
          return layer.bias.arraySync().map((b, c) =>
            Math.max(
              0,
              at.reduce((sum, v, i) => sum + v * w[i]![c]!, b),
            ),
          );
        }, x),
      ),
    );
    const slope = kernel.map((row) => row.map((w) => decay * w));
    features.forEach((f, n) => {
      const powers = bias.map((b, c) => Math.exp(f.reduce((sum, v, i) => sum + v * kernel[i]![c]!, b)));
      const total = powers.reduce((a, b) => a + b, 0);
      powers.forEach((p, c) => {
        const by = (p / total - +(c === rows[n]!.label)) / rows.length;
        f.forEach((v, i) => {
          slope[i]![c]! += v * by;
        });
      });
    });
    expect(Math.max(...slope.flat().map(Math.abs))).toBeLessThan(2e-4);
    expect(Math.max(...kernel.flat().map(Math.abs))).toBeGreaterThan(0.05);
    session.dispose();
  });

  test("the auxiliary term begins with the second experience", () => {
    const terms = run(spec(over, [derExpand({ capacity: 12 })])).events.flatMap((e) =>
      e.type === "step" ? [[e.experience, e.terms.derExpand!] as const] : [],
    );
    expect(terms.filter(([at]) => at === 0).every(([, value]) => value === 0)).toBe(true);
    expect(terms.filter(([at]) => at > 0).every(([, value]) => value > 0)).toBe(true);
  });

  test("a model whose running statistics the extractors would share is refused", () => {
    const model = net().flatten().dense(4).batchNorm().relu() as never;
    expect(() => run(spec(over, [derExpand()], { model }))).toThrow("a model without running statistics is required");
  });
});
